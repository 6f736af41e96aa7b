"""The page's addresses. Whatever is sent to it, it answers with a page and never breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from headgate.adapters.review_page import acts
from headgate.adapters.review_page.desk import Desk
from headgate.adapters.review_page.sessions import Sessions, same
from headgate.adapters.review_page.showing import render
from headgate.adapters.review_page.visit import Visit, form_of, page, status_of, to
from headgate.errors import HeadgateError

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def app(desk: Desk, hosts: Sequence[str]) -> Starlette:
    """Return the page as an ASGI application.

    Parameters
    ----------
    hosts
        Names under which it is asked for; of others the answer is 400, so that no foreign site reaches it
        under a name of its own.
    """
    sessions = Sessions()
    own = sessions.open(desk.reviewer, forever=True) if desk.reviewer else None

    def route(
        path: str, act: Callable[[Visit], Response], method: str = "GET", *, anybody: bool = False
    ) -> Route:
        return Route(path, partial(_served, desk, sessions, own, act, anybody), methods=[method])

    return Starlette(
        routes=[
            route("/", acts.home),
            route("/static/{name}", acts.static, anybody=True),
            route("/sign-in", acts.ask_who, anybody=True),
            route("/sign-in", acts.sign_in, "POST", anybody=True),
            route("/sign-out", acts.sign_out, "POST"),
            route("/{service}", acts.next_case),
            route("/{service}/standing", acts.standing),
            route("/{service}/waiting", acts.waiting),
            route("/{service}/{case:int}", acts.one_case),
            route("/{service}/{case:int}", acts.decide, "POST"),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))],
        exception_handlers={404: _no_such_page, 405: _no_such_page},
    )


async def _served(
    desk: Desk,
    sessions: Sessions,
    own: str | None,
    act: Callable[[Visit], Response],
    anybody: bool,
    request: Request,
) -> Response:
    """Read a request, see who it is from, do what is asked; say every refusal on a page."""
    key = own or request.cookies.get(acts.COOKIE)
    visit = Visit(
        desk=desk,
        sessions=sessions,
        path=request.path_params,
        query=request.query_params,
        form={},
        cookie=key,
        session=sessions.get(key),
        secure=request.url.scheme == "https",
    )
    try:
        if request.method == "POST":
            visit = replace(visit, form=await form_of(request))
        if visit.session is None and not anybody:
            answer: Response = to("/sign-in")
        elif _foreign(request, visit):
            words = "that form is not of this session: open it again"
            answer = page(visit, "message.html.j2", status=403, words=words)
        else:
            answer = await run_in_threadpool(act, visit)
    except HeadgateError as err:
        answer = page(visit, "message.html.j2", status=status_of(err), words=str(err))
    answer.headers.update(_HEADERS)
    return answer


def _foreign(request: Request, visit: Visit) -> bool:
    """Return whether a form was not made for this session: another site's, or one of before."""
    if request.method != "POST" or visit.session is None:
        return False
    return not same(visit.form.get("token", ""), visit.session.token)


async def _no_such_page(request: Request, _: Exception) -> Response:
    words = f"there is no page for {request.method} {request.url.path[:80]}"
    body = {"reviewer": "", "token": "", "own": False, "words": words}
    return HTMLResponse(render("message.html.j2", body), 404, _HEADERS)
