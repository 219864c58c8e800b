"""POSTs BODY to URL with httpx, HTTP/2 on."""
import json
import os

import httpx

with httpx.Client(http2=True, timeout=20) as client:
    answer = client.post(os.environ["URL"], content=os.environ["BODY"])
print(json.dumps({"status": answer.status_code, "body": answer.text, "version": answer.http_version}))
