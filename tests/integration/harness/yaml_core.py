"""YAML as editors read it: version 1.2, core schema. (PyYAML follows 1.1, where `on` is true and 0660 is 432.)"""
import re

import yaml

_WORDS = {word: value for value, words in ((None, ("", "~", "null", "Null", "NULL")), (True, ("true", "True", "TRUE")),
                                           (False, ("false", "False", "FALSE"))) for word in words}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def _scalar(node):
    text = node.value
    if node.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if re.fullmatch(r"0o[0-7]+|0x[0-9a-fA-F]+", text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def _value(node):
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    pairs = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value in pairs:
            raise yaml.YAMLError(f"{key.start_mark}: a key is no word, or there already")
        pairs[key.value] = _value(value)
    return pairs


def load(text):
    """The document as JSON has it; yaml.YAMLError when it is none, or not one."""
    return _value(yaml.compose(text, Loader=yaml.SafeLoader) or yaml.ScalarNode("", ""))
