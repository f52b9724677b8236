"""Calibration: what people found a sensor to be off by is put right once, as its readings come in."""

import msgspec

from shared.contract.payloads import DeviceProfile, Quality, QualityState, SensorData
from shared.contract.quantities import ANY_HIGH, ANY_LOW, known


def calibrated(body: SensorData, profile: DeviceProfile) -> SensorData:
    """`body` with the profile's offsets added to its values, and on record in `calibration`.

    A value that would leave its quantity's range is put at the end of the range, and said to be degraded. So a raw
    value is always `data` less `calibration`.
    """
    if not profile.calibration:
        return body
    data, added, quality = dict(body.data), dict(body.calibration), dict(body.quality)
    for name, offset in profile.calibration.items():
        raw = data.get(name)
        if raw is None or not offset:
            continue
        value = raw + offset
        quantity = known(name)
        low, high, unit = (quantity.low, quantity.high, quantity.unit) if quantity else (ANY_LOW, ANY_HIGH, "")
        within = min(max(value, low), high)
        if within != value:
            quality[name] = Quality(
                state=QualityState.DEGRADED, reason=f"calibrated by {offset:+g} it would be {value:g}{unit}"
            )
        value = round(within, max(quantity.decimals, 3)) if quantity else within
        data[name] = value
        added[name] = round(value - raw, 6)
    return msgspec.structs.replace(body, data=data, calibration=added, quality=quality)
