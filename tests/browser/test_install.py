"""Whether a real browser would install the gallery."""

import json

import pytest

from demos import install

pytestmark = pytest.mark.browser


def test_chromium_would_install_it(page):
    """Asked itself: it reads the manifest without a complaint and knows no hindrance."""
    devtools = page.context.new_cdp_session(page)
    found = devtools.send("Page.getAppManifest")
    assert found["errors"] == [] and found["url"].endswith("/manifest.json") and json.loads(found["data"])["icons"]
    hindrances = [error["errorId"] for error in devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]]
    assert [one for one in hindrances if one != "in-incognito"] == []
    colours = page.eval_on_selector_all('meta[name="theme-color"]', "found => found.map(one => one.content)")
    assert colours == [install.DAY, install.NIGHT]
