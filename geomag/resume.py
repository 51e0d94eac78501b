"""What resumable state was made from: who may go on from it, and who must not.

A training's checkpoint and a journal of predictions carry an identity: digests of settings, inputs
and code by name. State of other settings or inputs is of no use to anybody here and is dropped.
State that differs in the code alone is refused instead: it may be worth going back to that code.
"""

from collections.abc import Mapping

from geomag.errors import ResumeError
from geomag.io import value_digest

CODE, COMMIT = "code", "commit"
"""Keys of an identity: the digest of the code, and the commit where people find it
(`geomag.versions.code_identity`)."""


def identity_digest(identity: Mapping[str, str]) -> str:
    """16 hex digits over all that decides the result; the commit's name does not.

    >>> identity_digest({"code": "1", "commit": "a"}) == identity_digest({"code": "1"})
    True
    """
    return value_digest({key: value for key, value in identity.items() if key != COMMIT})


def differing(made: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Keys whose values differ, but for the commit's name.

    >>> differing({"code": "1", "data": "2", "commit": "a"}, {"code": "1", "data": "3"})
    ['data']
    """
    return sorted(k for k in {*made, *wanted} - {COMMIT} if made.get(k) != wanted.get(k))


def of_other_code(
    place: str, made: Mapping[str, str], wanted: Mapping[str, str], *, remove: str
) -> ResumeError:
    """The refusal to go on with state whose end would belong to no commit.

    Args:
        place: Where the state lies.
        made: Identity that it was made under.
        wanted: Identity of what would run now.
        remove: What to remove to start over.
    """

    def named(identity: Mapping[str, str]) -> str:
        return f"code {identity[CODE]} of commit {identity.get(COMMIT, 'unknown')}"

    return ResumeError(
        place,
        f"made by {named(made)}",
        f"{named(wanted)}, which is what would run now",
        f"go back to that code to resume, or remove {remove} to start over",
    )
