import ArgumentParser
import CommandSupport
import Settings
import TransferCore

/// The option for the keys that one device may write.
struct DeviceKeyOption: ParsableArguments {
    @Option(
        help: """
            The device may write the keys that begin with this; it ends in a slash, or is '' for any key (default: the \
            name and a slash).
            """)
    var prefix: String?
}

/// Options for the limits of one device.
struct DeviceLimitOptions: ParsableArguments {
    @Option(help: "How many connections it may have at a time (default: 16).") var connections: Int?
    @Option(help: "How many sessions it may have at a time (default: 2048).") var sessions: Int?
    @Option(help: "Memory for its parts under way, in whole MiB (default: three quarters of the gateway's).")
    var budget: ByteSize?

    var limits: DeviceLimits {
        DeviceLimits(connectionsMax: connections, sessionsMax: sessions, budgetBytes: budget?.bytes)
    }
}
