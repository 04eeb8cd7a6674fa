"""Ways into the rooms."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page


@contextmanager
def visiting(browser: Browser, address: str, width: int = 1280, theme: str = "light", **settings: str) -> Iterator[Page]:
    """A visitor's page. theme: the gallery's, where the address asks for it, and the system's. settings: of the context.

    Fails on any error in the console, any error of a script, and any request that leaves this machine.
    """
    size = {"width": width, "height": 844 if width < 600 else 900}
    context = browser.new_context(viewport=size, color_scheme=theme, **settings)
    page = context.new_page()
    page.set_default_timeout(90_000)
    origin, errors = "/".join(address.split("/")[:3]), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.on("request", lambda sent: None if sent.url.startswith((origin, "data:", "blob:")) else errors.append(sent.url))
    try:
        page.goto(address)
        yield page
    finally:
        context.close()
    assert not errors, errors


def enter(page: Page, title: str) -> None:
    """Opens the room of this title, wherever its tab is: where the page is narrow, the last rooms are behind the dots.

    After a screenshot of a whole page the tabs are laid out anew, and for a moment none is where it will be.
    """
    page.wait_for_selector(".door:visible")
    tab = page.get_by_role("tab", name=title, exact=True).locator("visible=true")
    dots = page.locator(".overflow-menu > button").locator("visible=true")
    for _ in range(50):
        page.wait_for_timeout(200)
        in_line = tab.count() > 0
        page.wait_for_timeout(200)
        if in_line and tab.count():
            tab.first.click()
            break
        if not in_line and not tab.count() and dots.count():
            dots.first.click()
            page.locator(".overflow-dropdown button", has_text=title).first.click()
            break
    else:
        raise AssertionError(f"There is no tab {title}")
    page.locator(".door h2", has_text=title).locator("visible=true").wait_for()


def set_slider(page: Page, elem_id: str, value: int) -> None:
    """Types a slider's number, and waits until the slider has it: a form that just opened may still take its own over."""
    number = page.locator(f"#{elem_id} input[type=number]")
    for _ in range(10):
        number.fill(str(value))
        number.press("Tab")
        page.wait_for_timeout(300)
        if page.locator(f"#{elem_id} input[type=range]").input_value() == str(value) == number.input_value():
            return
    raise AssertionError(f"#{elem_id} does not take {value}")


def type_number(page: Page, elem_id: str, value: int) -> None:
    """Types into a field for a number, and waits until the field keeps it, for the same reason."""
    number = page.locator(f"#{elem_id} input")
    for _ in range(10):
        page.wait_for_timeout(300)
        kept = number.input_value() == str(value)
        number.fill(str(value))
        number.press("Tab")
        if kept:
            return
    raise AssertionError(f"#{elem_id} does not take {value}")


def unfold(page: Page) -> None:
    """Opens all that is folded on the page."""
    for fold in page.query_selector_all("button.label-wrap:not(.open)"):  # handles, because a locator counts anew each time
        if fold.is_visible():
            fold.click()
    page.wait_for_timeout(700)
