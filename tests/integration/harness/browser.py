"""A headless Chromium, driven through playwright-core by a program of node's. Every wait is bounded."""
import itertools
import json
import os
import shutil
import subprocess

from .scale import patience

HERE = os.path.dirname(os.path.abspath(__file__))


NUMBERS = itertools.count()


class Browser:
    def __init__(self, modules, width=1440, height=1000, **context):
        settings = {"executable": shutil.which("chromium"), "timeout": 1000 * patience(10),
                    "context": {"viewport": {"width": width, "height": height}, **context}}
        assert settings["executable"], "chromium is not installed"
        # modules are found beside the file that imports them
        program = os.path.join(os.path.dirname(modules), "browser.mjs")
        self.program = program + f".{os.getpid()}.{next(NUMBERS)}.mjs"
        shutil.copyfile(os.path.join(HERE, "..", "npm", "browser.mjs"), self.program)
        self.node = subprocess.Popen(["node", self.program, json.dumps(settings)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = self._answer()["ready"]

    def _answer(self):
        line = self.node.stdout.readline()
        assert line, "the browser's program ended"
        return json.loads(line)

    def run(self, code, given=None):
        """The value that the body of an async function of (page, given, context, seen) returns."""
        self.node.stdin.write(json.dumps({"code": code, "given": given}) + "\n")
        self.node.stdin.flush()
        answer = self._answer()
        assert "error" not in answer, f"{code}\n{answer['error']}"
        return answer["value"]

    def open(self, url):
        self.run("await page.goto(given)", url)

    def text(self, selector):
        return self.run("return await page.locator(given).first().innerText()", selector)

    def wait_text(self, selector, words, seconds=20):
        """Until the element's text has the words."""
        self.run("await page.locator(given[0]).filter({hasText: given[1]}).first().waitFor({timeout: given[2]})", [selector, words, 1000 * patience(seconds)])

    def click(self, role, name):
        self.run("await page.getByRole(given[0], {name: given[1], exact: true}).click()", [role, name])

    def messages(self):
        """Errors and violations that the page has told."""
        return [m for m in self.run("return seen.messages") if not m.startswith(("log:", "info:", "debug:"))]

    def picture(self, path, down_to=None):
        """Of what is in sight; or of the page from its top down to the end of an element."""
        self.run("""const box = given[1] && await page.locator(given[1]).boundingBox();
            await page.screenshot({path: given[0], animations: 'disabled', ...(box ? {fullPage: true, clip: {x: 0, y: 0, width: page.viewportSize().width, height: Math.ceil(box.y + box.height + 10)}} : {})});""",
                 [str(path), down_to])

    def close(self):
        """Once is enough; a second time does nothing."""
        if self.node.stdin.closed:
            return
        self.node.stdin.close()
        try:
            self.node.wait(patience(10))
        except subprocess.TimeoutExpired:
            self.node.kill()
        os.unlink(self.program)
