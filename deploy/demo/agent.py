"""A small agent that knows nothing of Creto: it calls with `requests` and with curl, and says what it got."""

import subprocess
import sys

import requests

# What it tries, and the status that policy should give it.
WITH_REQUESTS = [
    ("GET", "/articles", 200),
    ("GET", "/articles/42", 200),
    ("POST", "/notes", 200),
    ("GET", "/articles/drafts/7", 403),
    ("DELETE", "/articles/42", 403),
]
WITH_CURL = [
    ("GET", "/articles/7", 200),
    ("GET", "/admin", 403),
]


def by_requests(method, url):
    answer = requests.request(method, url, data=b"a note" if method == "POST" else None, timeout=20)
    code = answer.json().get("code", "") if answer.status_code >= 400 else ""
    return answer.status_code, code


def by_curl(method, url):
    command = ["curl", "-sS", "--max-time", "20", "-X", method, "-o", "/dev/null", "-w", "%{http_code}", url]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout), ""


def main():
    base = sys.argv[1]
    calls = [("requests", by_requests, *call) for call in WITH_REQUESTS]
    calls += [("curl", by_curl, *call) for call in WITH_CURL]
    calls.append(("requests", by_requests, "GET", "https://elsewhere.example/", 403))
    wrong = 0
    for client, call, method, path, expected in calls:
        url = path if path.startswith("https://") else base + path
        try:
            status, code = call(method, url)
        except Exception as error:  # whatever goes wrong is a call that did not do what it should
            status, code = 0, str(error)
        # An HTTPS call refused before its tunnel opens shows as a proxy error in requests.
        if status == 0 and expected == 403 and "403" in code:
            status = 403
        wrong += status != expected
        mark = "" if status == expected else f"   <- expected {expected}"
        print(f"  {client:8} {method:6} {url:44} {status} {code[:60]}{mark}", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
