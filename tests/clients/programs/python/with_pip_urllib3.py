"""POSTs BODY to URL with the urllib3 that pip carries."""
import json
import os

from pip._vendor import urllib3

proxy = os.environ.get("HTTPS_PROXY")
authorities = {"ca_certs": os.environ.get("PIP_CERT"), "cert_reqs": "CERT_REQUIRED"}
pool = urllib3.ProxyManager(proxy, **authorities) if proxy else urllib3.PoolManager(**authorities)
answer = pool.request("POST", os.environ["URL"], body=os.environ["BODY"].encode(), timeout=20, retries=False)
print(json.dumps({"status": answer.status, "body": answer.data.decode()}))
