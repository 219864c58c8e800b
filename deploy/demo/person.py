"""The person who decides in the demo: signs in to the approvals page, reads what is asked, approves it. No script of the page is
needed for that: these are the forms that a browser without JavaScript sends."""

import html
import re
import sys
import time

import requests


def field(page, name):
    return html.unescape(re.search(rf'name="{name}" value="([^"]*)"', page)[1])


class Person:
    def __init__(self, page, name, password):
        self.page = page
        self.browser = requests.Session()
        # A browser says where a form comes from; the page takes its own only.
        self.browser.headers.update({"origin": page, "sec-fetch-site": "same-origin"})
        form = self.get("/sign-in")
        fields = {"token": field(form, "token"), "next": "/", "name": name, "password": password, "namespace": "default"}
        answer = self.browser.post(f"{page}/sign-in", data=fields, timeout=20, allow_redirects=False)
        if answer.status_code != 303:
            sys.exit(f"the page does not let {name} in: {answer.status_code}")

    def get(self, path):
        answer = self.browser.get(f"{self.page}{path}", timeout=20)
        answer.raise_for_status()
        return answer.text

    def wait_for_one(self):
        for _ in range(300):
            found = re.search(r'href="(/approvals/[0-9a-f]{32})"', self.get("/"))
            if found:
                return found[1]
            time.sleep(0.2)
        sys.exit("nothing was asked")

    def approve(self, path):
        shown = self.get(path)
        fields = {"token": field(shown, "token"), "digest": field(shown, "digest"), "uses": "1", "for_ms": "0", "reason": ""}
        chosen = re.search(r'<option value="(\d+)" selected', shown)
        if chosen:
            fields["for_ms"] = chosen[1]
        answer = self.browser.post(f"{self.page}{path}/approve", data=fields, timeout=20)
        if answer.status_code != 200:
            sys.exit(f"the page does not take the approval: {answer.status_code}")
        return html.unescape(re.search(r"<h2 class=\"action[^>]*>(.*?)</h2>", shown, re.S)[1]).strip()


def main():
    page, name, password_file = sys.argv[1:4]
    with open(password_file, encoding="utf-8") as file:
        person = Person(page, name, file.readline().rstrip("\n"))
    asked = person.wait_for_one()
    print(f"  {name} approves: {person.approve(asked)}", flush=True)


if __name__ == "__main__":
    main()
