"""POSTs BODY to URL with aiohttp, which reads proxy variables when trust_env says so."""
import asyncio
import json
import os

import aiohttp


async def main():
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.post(os.environ["URL"], data=os.environ["BODY"]) as answer:
            print(json.dumps({"status": answer.status, "body": await answer.text()}))


asyncio.run(asyncio.wait_for(main(), 20))
