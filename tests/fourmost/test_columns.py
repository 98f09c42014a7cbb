"""The table of columns, and the modules that need no Django."""

import doctest
import subprocess
import sys
from types import ModuleType

import pytest

from simulators.fourmost import clock, columns, sentences


@pytest.mark.parametrize("module", [clock, columns, sentences], ids=lambda module: module.__name__)
def test_the_examples_are_true(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed


def test_the_columns_are_those_of_the_service_in_its_order() -> None:
    names = """
        id uploadedfor_survey_id name ra dec pmra pmdec epoch resolution subsurvey cadence template ruleset
        redshift_estimate redshift_error extent_flag extent_parameter extent_index mag mag_err mag_type reddening
        date_earliest date_latest t_exp_d t_exp_g t_exp_b t_exp_s template_redshift cal_mag_blue cal_mag_green
        cal_mag_red cal_mag_err_blue cal_mag_err_green cal_mag_err_red cal_mag_id_blue cal_mag_id_green cal_mag_id_red
        classification completeness parallax date_submitted date_modified date_ingested is_active ostd_targ_id
        ostd_u_obj_id
    """
    assert [column.name for column in columns.COLUMNS] == names.split()


def test_only_the_first_bad_rows_of_a_bulk_call_are_described() -> None:
    rows = [{"name": f"n{index}"} for index in range(25)]
    text = sentences.describe_rows({index: {"mag": ["bad"]} for index in range(25)}, rows)
    assert text.startswith("row 1 (n0): mag: bad; row 2 (n1)")
    assert text.endswith("row 10 (n9): mag: bad; and 15 more rows")


def test_the_handle_and_the_command_load_no_django() -> None:
    code = (
        "import sys; import simulators.fourmost.process, simulators.fourmost.command;"
        "sys.exit('django' in sys.modules or 'rest_framework' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
