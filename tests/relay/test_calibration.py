"""A calibrated value is one that may be stored, whatever people say that the sensor is off by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.services.calibration import calibrated
from shared.contract.payloads import DeviceProfile, QualityState, SensorData, parse
from shared.contract.quantities import ANY_HIGH, ANY_LOW
from shared.wire import StrictJson

_ANY = st.floats(ANY_LOW, ANY_HIGH)


def reading(name: str, value: float) -> SensorData:
    return SensorData.build(id=1, datetime="2026-01-31 23:59:59", fail=[], data={name: value})


@given(value=_ANY, offset=_ANY)
def test_a_quantity_of_ones_own_stays_within_what_can_be_stored(value: float, offset: float) -> None:
    profile = DeviceProfile.build(device="pi", calibration={"own": offset})
    body = calibrated(reading("own", value), profile)
    assert parse(SensorData, StrictJson.loads(StrictJson.dumps(body))) == body
    if not ANY_LOW <= value + offset <= ANY_HIGH:
        assert body.quality["own"].state is QualityState.DEGRADED


@pytest.mark.parametrize(("offset", "shown"), [(-100, -40.0), (100, 80.0), (1.25, 22.25)])
def test_a_known_quantity_stays_within_its_range(offset: float, shown: float) -> None:
    body = calibrated(
        reading("temperature", 21.0), DeviceProfile.build(device="pi", calibration={"temperature": offset})
    )
    assert body.data["temperature"] == shown
    assert body.calibration["temperature"] == shown - 21.0
