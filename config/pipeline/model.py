"""Calls to a model server with the OpenAI API; standard library only."""
import http.client
import json
import os
import urllib.error
import urllib.request

SECONDS = float(os.environ.get("PIPELINE_CALL_TIMEOUT", "60"))
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the endpoint itself, not by a proxy


class Failed(Exception):
    pass


def ask(url, body=None):
    """(status, headers, text); what is not an answer is an OSError."""
    headers = {"Content-Type": "application/json"}
    if path := os.environ.get("PIPELINE_API_KEY_FILE"):
        with open(path, encoding="utf-8") as f:
            headers["Authorization"] = "Bearer " + f.read().strip()
    request = urllib.request.Request(url, body, headers)
    try:
        with DIRECT.open(request, timeout=SECONDS) as answer:
            return answer.status, answer.headers, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode("utf-8", "replace")
    except http.client.HTTPException as error:  # cut off in the middle, or no HTTP
        raise OSError(f"{type(error).__name__}: {error}") from error


def first_model(url):
    if name := os.environ.get("PIPELINE_MODEL"):
        return name
    status, _, text = ask(f"{url}/v1/models")
    if status != 200:
        raise Failed(f"/v1/models is answered with {status}")
    return json.loads(text)["data"][0]["id"]


def chat(url, prompt, stream=False, model=None):
    body = {"model": model or first_model(url), "messages": [{"role": "user", "content": prompt}], "stream": stream}
    return ask(f"{url}/v1/chat/completions", json.dumps(body).encode())
