"""The two Java tools of caption scoring: the PTB tokeniser and METEOR 1.5's matcher.

Both jars come with pycocoevalcap. They run here once over many lines, through pipes: its own
wrappers write into their package folder, talk line by line (and hang when the child dies) and
break under a locale with decimal commas (protocols/captions#tokens). So a scoring process starts
two: one tokeniser and one METEOR, whatever the number of arms, splits and baselines. They stay two,
as a program of ours that called both would need a compiler where Java is, and its second of time.
"""

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from geomag.errors import ToolError
from geomag.metrics.paraphrases import filter_table

TIMEOUT_S = 600
_OPTIONS = (
    "-Dfile.encoding=UTF-8",
    "-Duser.language=en",
    "-Duser.country=US",
    "-XX:+UseSerialGC",  # one thread: steps share the cores
)
_PTB_JAR = Path("tokenizer") / "stanford-corenlp-3.4.1.jar"
_METEOR_JAR = Path("meteor") / "meteor-1.5.jar"
_PARAPHRASES = Path("meteor") / "data" / "paraphrase-en.gz"
_SEEN: dict[str, str] = {}
"""Version by program, as a run of it said: asking again would start one more."""


def java_version() -> str:
    """What Java calls itself, such as ``openjdk version "17.0.15"``; "" when there is none."""
    java = shutil.which("java")
    if java is None:
        return ""
    if java not in _SEEN:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
        _SEEN[java] = _version_in(said.stderr) if said.returncode == 0 else ""
    return _SEEN[java]


def _version_in(stderr: str) -> str:
    """The line that names the version: one about ``JAVA_TOOL_OPTIONS`` may come before."""
    lines = (line.strip() for line in stderr.splitlines())
    return next((line for line in lines if " version " in line and '"' in line), "")


def ptb_lines(lines: Sequence[str]) -> list[str]:
    """Tokenise sentences, one a line, lower-cased; punctuation still in.

    Raises:
        ToolError: Without Java, or when it does not give one line for each.
    """
    if not lines:
        return []
    jar = _jar(_PTB_JAR)
    arguments = ["edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"]
    return _run(["-cp", str(jar), *arguments], lines, cwd=jar.parent)


def meteor_lines(requests: Sequence[str]) -> list[str]:
    """METEOR's statistics of ``SCORE ||| reference ||| ... ||| hypothesis`` lines.

    Its paraphrase table is cut down to these lines first (`geomag.metrics.paraphrases`).

    Raises:
        ToolError: Without Java, or when it breaks twice.
    """
    if not requests:
        return []
    jar = _jar(_METEOR_JAR)
    _java()
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "paraphrase.gz"
        filter_table(_jar(_PARAPHRASES), table, requests)
        command = ["-Xmx1G", "-jar", str(jar), "-", "-", "-stdio", "-l", "en", "-norm"]
        command += ["-a", str(table)]
        try:
            return _run(command, requests, cwd=jar.parent)
        except ToolError:
            return _run(command, requests, cwd=jar.parent)  # its pipe may just have died


def _jar(relative: Path) -> Path:
    spec = importlib.util.find_spec("pycocoevalcap")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / relative).is_file():
            return Path(folder) / relative
    raise ToolError(relative.name, "not installed", remedy="pip install pycocoevalcap==1.2")


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise ToolError("java", "not found", remedy="apt-get install default-jre-headless")
    return java


def _run(arguments: Sequence[str], lines: Sequence[str], *, cwd: Path) -> list[str]:
    java = _java()
    try:
        done = subprocess.run(
            [java, "-showversion", *_OPTIONS, *arguments],
            input="\n".join(lines) + "\n",
            capture_output=True,
            encoding="utf-8",
            cwd=cwd,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as broken:
        raise ToolError("java", f"did not finish ({broken})") from broken
    _SEEN[java] = _version_in(done.stderr)
    out = done.stdout.split("\n")[: len(lines)]
    if done.returncode != 0 or done.stdout.count("\n") < len(lines):
        tail = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise ToolError(
            "java", f"gave {done.stdout.count(chr(10))} lines for {len(lines)}: {tail[0]}"
        )
    return [line.rstrip() for line in out]
