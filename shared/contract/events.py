"""Every event of `/pi` and `/client`, once; those of the other doors are in `door_events`.

No other file writes a wire name.
"""

from dataclasses import dataclass
from typing import Final

from shared.contract import payloads
from shared.contract.payloads import Accessory
from shared.contract.spec import Delivery, EventSpec, Namespace, Role, WhenSlow

# --- the mission's twelve, in its order -----------------------------------------------------------------------------

SENSOR_DATA_PUB_PI: Final = EventSpec(
    name="sensor_data_pub_pi",
    namespace=Namespace.PI,
    publisher=Role.PI,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="To automate fetch the sensor data and send to Flask server.",
    payload=payloads.SensorData,
    delivery=Delivery.AT_LEAST_ONCE,
)

SENSOR_DATA_PUB_CLIENT: Final = EventSpec(
    name="sensor_data_pub_client",
    namespace=Namespace.CLIENT,
    publisher=Role.RELAY,
    subscriber=Role.CLIENT,
    timeout_s=None,
    broadcast=True,
    description="To send realtime sensor data to client.",
    payload=payloads.ClientSensorData,
    delivery=Delivery.LIVE,
    when_slow=WhenSlow.DROP,
)

SERVER_CLEAN_PUB: Final = EventSpec(
    name="server_clean_pub",
    namespace=Namespace.PI,
    publisher=Role.RELAY,
    subscriber=Role.PI,
    timeout_s=None,
    broadcast=True,
    description="To send a force turning off signal to all accessories except the sensors.",
    payload=payloads.CleanCommand,
    delivery=Delivery.COMMAND,
    when_slow=WhenSlow.REFUSE,
)

ACCESSORY_STATUS_PUB_CLIENT: Final = EventSpec(
    name="accessory_status_pub_client",
    namespace=Namespace.CLIENT,
    publisher=Role.RELAY,
    subscriber=Role.CLIENT,
    timeout_s=None,
    broadcast=True,
    description="To send the accessories status to client.",
    payload=payloads.AccessoryState,
    delivery=Delivery.LIVE,
    when_slow=WhenSlow.CONFLATE,
    same_by=("device", "accessory"),
)

LED_STATUS_CHECK_PUB_SYSTEM: Final = EventSpec(
    name="LED_status_check_pub_system",
    namespace=Namespace.PI,
    publisher=Role.RELAY,
    subscriber=Role.PI,
    timeout_s=None,
    broadcast=True,
    description="To emit a signal make the LED report its status.",
    payload=payloads.CheckCommand,
    delivery=Delivery.COMMAND,
    when_slow=WhenSlow.REFUSE,
)

LED_STATUS_PUB_PI: Final = EventSpec(
    name="LED_status_pub_pi",
    namespace=Namespace.PI,
    publisher=Role.PI,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="To receive the status publish to Flask server regularly.",
    payload=payloads.AccessoryStatus,
    delivery=Delivery.CONFLATED,
)

LED_OFF_PUBLISH_SERVER: Final = EventSpec(
    name="LED_off_publish_server",
    namespace=Namespace.PI,
    publisher=Role.RELAY,
    subscriber=Role.PI,
    timeout_s=None,
    broadcast=True,
    description="To send the turning off breath light signal.",
    payload=payloads.SwitchCommand,
    delivery=Delivery.COMMAND,
    when_slow=WhenSlow.REFUSE,
)

INFRARED_STATUS_CHECK_PUB_SYSTEM: Final = EventSpec(
    name="infrared_status_check_pub_system",
    namespace=Namespace.PI,
    publisher=Role.RELAY,
    subscriber=Role.PI,
    timeout_s=None,
    broadcast=True,
    description="To emit a signal make the infrared sensor report its status.",
    payload=payloads.CheckCommand,
    delivery=Delivery.COMMAND,
    when_slow=WhenSlow.REFUSE,
)

INFRARED_STATUS_PUB_PI: Final = EventSpec(
    name="infrared_status_pub_pi",
    namespace=Namespace.PI,
    publisher=Role.PI,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="To receive the status publish to Flask server regularly.",
    payload=payloads.AccessoryStatus,
    delivery=Delivery.CONFLATED,
)

INFRARED_OFF_PUBLISH_SERVER: Final = EventSpec(
    name="infrared_off_publish_server",
    namespace=Namespace.PI,
    publisher=Role.RELAY,
    subscriber=Role.PI,
    timeout_s=None,
    broadcast=True,
    description="To send the turning off infrared sensor signal.",
    payload=payloads.SwitchCommand,
    delivery=Delivery.COMMAND,
    when_slow=WhenSlow.REFUSE,
)

MODEL_TRAIN_PUB_PI: Final = EventSpec(
    name="model_train_pub_pi",
    namespace=Namespace.PI,
    publisher=Role.PI,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="To send the model train finish to Server.",
    payload=payloads.ModelTrain,
    delivery=Delivery.AT_LEAST_ONCE,
)

MODEL_TRAIN_PUB_CLIENT: Final = EventSpec(
    name="model_train_pub_client",
    namespace=Namespace.CLIENT,
    publisher=Role.RELAY,
    subscriber=Role.CLIENT,
    timeout_s=None,
    broadcast=True,
    description="To send the model train status to client.",
    payload=payloads.ClientModelTrain,
    delivery=Delivery.LIVE,
    when_slow=WhenSlow.DROP,
)

THE_TWELVE: Final = (
    SENSOR_DATA_PUB_PI,
    SENSOR_DATA_PUB_CLIENT,
    SERVER_CLEAN_PUB,
    ACCESSORY_STATUS_PUB_CLIENT,
    LED_STATUS_CHECK_PUB_SYSTEM,
    LED_STATUS_PUB_PI,
    LED_OFF_PUBLISH_SERVER,
    INFRARED_STATUS_CHECK_PUB_SYSTEM,
    INFRARED_STATUS_PUB_PI,
    INFRARED_OFF_PUBLISH_SERVER,
    MODEL_TRAIN_PUB_PI,
    MODEL_TRAIN_PUB_CLIENT,
)

# --- additions ------------------------------------------------------------------------------------------------------

LED_ON_PUBLISH_SERVER: Final = EventSpec(
    name="LED_on_publish_server",
    namespace=Namespace.PI,
    publisher=Role.RELAY,
    subscriber=Role.PI,
    timeout_s=None,
    broadcast=True,
    description="Turn the breath light on, for the time of a lease where one is given.",
    payload=payloads.SwitchCommand,
    delivery=Delivery.COMMAND,
    when_slow=WhenSlow.REFUSE,
    addition=True,
)

INFRARED_ON_PUBLISH_SERVER: Final = EventSpec(
    name="infrared_on_publish_server",
    namespace=Namespace.PI,
    publisher=Role.RELAY,
    subscriber=Role.PI,
    timeout_s=None,
    broadcast=True,
    description="Make the infrared sensor watch, for the time of a lease where one is given.",
    payload=payloads.SwitchCommand,
    delivery=Delivery.COMMAND,
    when_slow=WhenSlow.REFUSE,
    addition=True,
)

MODEL_TRAIN_PUBLISH_SERVER: Final = EventSpec(
    name="model_train_publish_server",
    namespace=Namespace.PI,
    publisher=Role.RELAY,
    subscriber=Role.PI,
    timeout_s=None,
    broadcast=False,
    description="Have a device train its forecaster now; acked at once, refused while it trains already.",
    payload=payloads.TrainCommand,
    delivery=Delivery.COMMAND,
    when_slow=WhenSlow.REFUSE,
    addition=True,
)

CARE_PUBLISH_SERVER: Final = EventSpec(
    name="care_publish_server",
    namespace=Namespace.PI,
    publisher=Role.RELAY,
    subscriber=Role.PI,
    timeout_s=None,
    broadcast=False,
    description="Ask something of the agent itself: settings, log level, restart, diagnostics.",
    payload=payloads.CareRequest,
    delivery=Delivery.COMMAND,
    when_slow=WhenSlow.REFUSE,
    addition=True,
)

CARE_PUB_PI: Final = EventSpec(
    name="care_pub_pi",
    namespace=Namespace.PI,
    publisher=Role.PI,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="What the agent answers to that.",
    payload=payloads.CareReport,
    delivery=Delivery.LIVE,
    addition=True,
)

MOTION_PUB_PI: Final = EventSpec(
    name="motion_pub_pi",
    namespace=Namespace.PI,
    publisher=Role.PI,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="The infrared sensor saw a movement begin or end.",
    payload=payloads.Motion,
    delivery=Delivery.AT_LEAST_ONCE,
    addition=True,
)

MOTION_PUB_CLIENT: Final = EventSpec(
    name="motion_pub_client",
    namespace=Namespace.CLIENT,
    publisher=Role.RELAY,
    subscriber=Role.CLIENT,
    timeout_s=None,
    broadcast=True,
    description="A device saw a movement begin or end.",
    payload=payloads.ClientMotion,
    delivery=Delivery.LIVE,
    when_slow=WhenSlow.DROP,
    addition=True,
)

DROP_PUB_PI: Final = EventSpec(
    name="drop_pub_pi",
    namespace=Namespace.PI,
    publisher=Role.PI,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="Events that the agent gave up: which, how many and why.",
    payload=payloads.Dropped,
    delivery=Delivery.AT_LEAST_ONCE,
    addition=True,
)

ACCESSORY_STATUS_CHECK_PUB_SYSTEM: Final = EventSpec(
    name="accessory_status_check_pub_system",
    namespace=Namespace.PI,
    publisher=Role.RELAY,
    subscriber=Role.PI,
    timeout_s=None,
    broadcast=True,
    description="Make any other accessory report its status.",
    payload=payloads.CheckCommand,
    delivery=Delivery.COMMAND,
    when_slow=WhenSlow.REFUSE,
    addition=True,
)

ACCESSORY_ON_PUBLISH_SERVER: Final = EventSpec(
    name="accessory_on_publish_server",
    namespace=Namespace.PI,
    publisher=Role.RELAY,
    subscriber=Role.PI,
    timeout_s=None,
    broadcast=True,
    description="Turn any other accessory on, for the time of a lease where one is given.",
    payload=payloads.SwitchCommand,
    delivery=Delivery.COMMAND,
    when_slow=WhenSlow.REFUSE,
    addition=True,
)

ACCESSORY_OFF_PUBLISH_SERVER: Final = EventSpec(
    name="accessory_off_publish_server",
    namespace=Namespace.PI,
    publisher=Role.RELAY,
    subscriber=Role.PI,
    timeout_s=None,
    broadcast=True,
    description="Turn any other accessory off.",
    payload=payloads.SwitchCommand,
    delivery=Delivery.COMMAND,
    when_slow=WhenSlow.REFUSE,
    addition=True,
)

ACCESSORY_STATUS_PUB_PI: Final = EventSpec(
    name="accessory_status_pub_pi",
    namespace=Namespace.PI,
    publisher=Role.PI,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="The status of any other accessory, regularly and at each change.",
    payload=payloads.AccessoryStatus,
    delivery=Delivery.CONFLATED,
    addition=True,
)

COMMAND_APPLIED_PUB_PI: Final = EventSpec(
    name="command_applied_pub_pi",
    namespace=Namespace.PI,
    publisher=Role.PI,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="A command has driven its pin; the read-back follows.",
    payload=payloads.CommandApplied,
    delivery=Delivery.LIVE,
    addition=True,
)

HEARTBEAT_PUB_PI: Final = EventSpec(
    name="heartbeat_pub_pi",
    namespace=Namespace.PI,
    publisher=Role.PI,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="The agent is alive; the ack tells the relay's time.",
    payload=payloads.Heartbeat,
    delivery=Delivery.CONFLATED,
    addition=True,
)

DEVICE_STATUS_PUB_CLIENT: Final = EventSpec(
    name="device_status_pub_client",
    namespace=Namespace.CLIENT,
    publisher=Role.RELAY,
    subscriber=Role.CLIENT,
    timeout_s=None,
    broadcast=True,
    description="A device came online or went offline.",
    payload=payloads.DeviceStatus,
    delivery=Delivery.LIVE,
    when_slow=WhenSlow.CONFLATE,
    same_by=("device",),
    addition=True,
)

DEVICE_PROFILE_PUB_CLIENT: Final = EventSpec(
    name="device_profile_pub_client",
    namespace=Namespace.CLIENT,
    publisher=Role.RELAY,
    subscriber=Role.CLIENT,
    timeout_s=None,
    broadcast=True,
    description="What people say of a device has changed.",
    payload=payloads.DeviceProfile,
    delivery=Delivery.LIVE,
    when_slow=WhenSlow.CONFLATE,
    same_by=("device",),
    addition=True,
)

DEVICE_REMOVED_PUB_CLIENT: Final = EventSpec(
    name="device_removed_pub_client",
    namespace=Namespace.CLIENT,
    publisher=Role.RELAY,
    subscriber=Role.CLIENT,
    timeout_s=None,
    broadcast=True,
    description="A device is gone, or its history goes on under another name.",
    payload=payloads.DeviceRemoved,
    delivery=Delivery.LIVE,
    when_slow=WhenSlow.KEEP,
    addition=True,
)

ALERT_PUB_CLIENT: Final = EventSpec(
    name="alert_pub_client",
    namespace=Namespace.CLIENT,
    publisher=Role.RELAY,
    subscriber=Role.CLIENT,
    timeout_s=None,
    broadcast=True,
    description="An alert was opened, acknowledged or closed.",
    payload=payloads.Alert,
    delivery=Delivery.LIVE,
    when_slow=WhenSlow.CONFLATE,
    same_by=("alert",),
    addition=True,
)

ALERT_REQUEST_CLIENT: Final = EventSpec(
    name="alert_request_client",
    namespace=Namespace.CLIENT,
    publisher=Role.CLIENT,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="Acknowledge or close an alert.",
    payload=payloads.AlertRequest,
    delivery=Delivery.COMMAND,
    addition=True,
)

SNAPSHOT_PUB_CLIENT: Final = EventSpec(
    name="snapshot_pub_client",
    namespace=Namespace.CLIENT,
    publisher=Role.RELAY,
    subscriber=Role.CLIENT,
    timeout_s=None,
    broadcast=False,
    description="All that is known now, to a page that joins.",
    payload=payloads.Snapshot,
    delivery=Delivery.LIVE,
    when_slow=WhenSlow.CONFLATE,
    addition=True,
)

REPLAY_REQUEST_CLIENT: Final = EventSpec(
    name="replay_request_client",
    namespace=Namespace.CLIENT,
    publisher=Role.CLIENT,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="Send again what came after a cursor.",
    payload=payloads.ReplayRequest,
    delivery=Delivery.LIVE,
    addition=True,
)

TRAIN_REQUEST_CLIENT: Final = EventSpec(
    name="train_request_client",
    namespace=Namespace.CLIENT,
    publisher=Role.CLIENT,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="Have a device train its forecaster now; acked once the device has taken it or refused.",
    payload=payloads.TrainRequest,
    delivery=Delivery.COMMAND,
    addition=True,
)

COMMAND_REQUEST_CLIENT: Final = EventSpec(
    name="command_request_client",
    namespace=Namespace.CLIENT,
    publisher=Role.CLIENT,
    subscriber=Role.RELAY,
    timeout_s=30.0,
    broadcast=False,
    description="Check, switch or clean one device, a group or all; acked with the command's id.",
    payload=payloads.CommandRequest,
    delivery=Delivery.COMMAND,
    addition=True,
)

COMMAND_RESULT_PUB_CLIENT: Final = EventSpec(
    name="command_result_pub_client",
    namespace=Namespace.CLIENT,
    publisher=Role.RELAY,
    subscriber=Role.CLIENT,
    timeout_s=None,
    broadcast=True,
    description="Where a command stands at one device.",
    payload=payloads.CommandResult,
    delivery=Delivery.LIVE,
    when_slow=WhenSlow.CONFLATE,
    same_by=("command", "device"),
    addition=True,
)

ERROR_PUB_PI: Final = EventSpec(
    name="error_pub",
    namespace=Namespace.PI,
    publisher=Role.RELAY,
    subscriber=Role.PI,
    timeout_s=None,
    broadcast=False,
    description="A refusal that no ack could carry.",
    payload=payloads.ErrorBody,
    delivery=Delivery.LIVE,
    when_slow=WhenSlow.KEEP,
    addition=True,
)

ERROR_PUB_CLIENT: Final = EventSpec(
    name=ERROR_PUB_PI.name,
    namespace=Namespace.CLIENT,
    publisher=Role.RELAY,
    subscriber=Role.CLIENT,
    timeout_s=None,
    broadcast=False,
    description=ERROR_PUB_PI.description,
    payload=payloads.ErrorBody,
    delivery=Delivery.LIVE,
    when_slow=WhenSlow.KEEP,
    addition=True,
)

ERROR_PUB_ROOT: Final = EventSpec(
    name=ERROR_PUB_PI.name,
    namespace=Namespace.ROOT,
    publisher=Role.RELAY,
    subscriber=Role.CLIENT,
    timeout_s=None,
    broadcast=False,
    description=ERROR_PUB_PI.description,
    payload=payloads.ErrorBody,
    delivery=Delivery.LIVE,
    when_slow=WhenSlow.KEEP,
    addition=True,
)

ADDITIONS: Final = (
    LED_ON_PUBLISH_SERVER,
    INFRARED_ON_PUBLISH_SERVER,
    MODEL_TRAIN_PUBLISH_SERVER,
    CARE_PUBLISH_SERVER,
    CARE_PUB_PI,
    MOTION_PUB_PI,
    MOTION_PUB_CLIENT,
    DROP_PUB_PI,
    ACCESSORY_STATUS_CHECK_PUB_SYSTEM,
    ACCESSORY_ON_PUBLISH_SERVER,
    ACCESSORY_OFF_PUBLISH_SERVER,
    ACCESSORY_STATUS_PUB_PI,
    COMMAND_APPLIED_PUB_PI,
    HEARTBEAT_PUB_PI,
    DEVICE_STATUS_PUB_CLIENT,
    DEVICE_PROFILE_PUB_CLIENT,
    DEVICE_REMOVED_PUB_CLIENT,
    ALERT_PUB_CLIENT,
    ALERT_REQUEST_CLIENT,
    SNAPSHOT_PUB_CLIENT,
    REPLAY_REQUEST_CLIENT,
    TRAIN_REQUEST_CLIENT,
    COMMAND_REQUEST_CLIENT,
    COMMAND_RESULT_PUB_CLIENT,
    ERROR_PUB_PI,
    ERROR_PUB_CLIENT,
    ERROR_PUB_ROOT,
)

CATALOGUE: Final = THE_TWELVE + ADDITIONS
ERROR_PUB: Final = {spec.namespace: spec for spec in (ERROR_PUB_PI, ERROR_PUB_CLIENT, ERROR_PUB_ROOT)}

# --- what belongs to one accessory ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class AccessoryEvents:
    """The events of one accessory, and the words of the original in its switch bodies."""

    check: EventSpec
    on: EventSpec
    off: EventSpec
    status: EventSpec
    on_type: str
    off_type: str
    sensor: bool
    """True for what *clean* leaves alone."""


ACCESSORIES: Final[dict[str, AccessoryEvents]] = {
    Accessory.BREATH_LIGHT: AccessoryEvents(
        check=LED_STATUS_CHECK_PUB_SYSTEM,
        on=LED_ON_PUBLISH_SERVER,
        off=LED_OFF_PUBLISH_SERVER,
        status=LED_STATUS_PUB_PI,
        on_type="BreathLightOpenSuccess",
        off_type="BreathLightCloseSuccess",
        sensor=False,
    ),
    Accessory.INFRARED_SENSOR: AccessoryEvents(
        check=INFRARED_STATUS_CHECK_PUB_SYSTEM,
        on=INFRARED_ON_PUBLISH_SERVER,
        off=INFRARED_OFF_PUBLISH_SERVER,
        status=INFRARED_STATUS_PUB_PI,
        on_type="InfraredSensorOpenSuccess",
        off_type="InfraredSensorCloseSuccess",
        sensor=True,
    ),
}

FURTHER: Final = AccessoryEvents(
    check=ACCESSORY_STATUS_CHECK_PUB_SYSTEM,
    on=ACCESSORY_ON_PUBLISH_SERVER,
    off=ACCESSORY_OFF_PUBLISH_SERVER,
    status=ACCESSORY_STATUS_PUB_PI,
    on_type="AccessoryOpenSuccess",
    off_type="AccessoryCloseSuccess",
    sensor=False,
)
"""The events of every accessory that has none of its own: the body's `accessory` says which is meant."""


def accessory_events(accessory: str) -> AccessoryEvents:
    """The events by which `accessory` is checked and switched, and by which it reports."""
    return ACCESSORIES.get(accessory, FURTHER)
