"""Ways into the rooms."""

from playwright.sync_api import Page


def enter(page: Page, title: str) -> None:
    """Opens the room of this title, wherever its tab is."""
    page.wait_for_selector(".door:visible")
    tab = page.get_by_role("tab", name=title, exact=True)
    if not tab.count() or not tab.first.is_visible():  # where the page is narrow, the last rooms are behind the dots
        page.locator(".overflow-menu > button:visible").first.click()
        tab = page.locator(".overflow-dropdown button", has_text=title)
    tab.first.click()
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
