"""Bad input to the tool is told in one line, before anything is started."""

from __future__ import annotations

import pytest

from tests.crashpoints.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--service", "order"], "there is no service order; there are auth, billing, "),
        (["--point", "1-3fa2c1.2"], "--point needs --service with the one service that it is a point of"),
        (["--service", "orders", "--point", "17"], "17 is no point: they look like 4-3fa2c1.2, as --list prints them"),
        (["--seed", "1"], "--seed draws a sample: say how many with --sample"),
        (["--sample", "none"], "none is no number from 1 on"),
        (["--jobs", "0"], "0 is no number from 1 on"),
    ],
    ids=" ".join,
)
def test_bad_input_is_told_in_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
