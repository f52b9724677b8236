"""What devices report: taken over once, shown at once, acked when it is stored.

Fan-out does not wait for the disk, but never shows a resend: the store knows every key it was ever given. The ack
follows the commit.
"""

import itertools
from datetime import datetime
from typing import Any

from server.fanout.broadcast import Broadcast
from server.services.commands import Commands
from server.services.frames import client_frame
from server.state.devices import Device, Registry
from server.storage import EventRow, Store
from shared.clock import Clock, iso_utc, local_text, parse_iso_utc
from shared.contract.events import (
    ACCESSORIES,
    ACCESSORY_STATUS_PUB_CLIENT,
    MODEL_TRAIN_PUB_PI,
    MOTION_PUB_PI,
    SENSOR_DATA_PUB_PI,
)
from shared.contract.payloads import AccessoryStatus, Ack, LastReading, ModelTrain, Motion, SensorData
from shared.contract.quantities import QUANTITIES
from shared.contract.spec import EventSpec
from shared.errors import Code
from shared.wire import StrictJson
