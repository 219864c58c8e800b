"""POSTs BODY to URL with requests."""
import json
import os

import requests

answer = requests.post(os.environ["URL"], data=os.environ["BODY"], timeout=20)
print(json.dumps({"status": answer.status_code, "body": answer.text}))
