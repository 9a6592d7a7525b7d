package import Cryptography
import FolderCore
package import Settings
package import TransferCore

/// The settings of the agent that hold for more than one call. `agent.yaml` in the home has them; environment variables
/// and flags override it.
package struct AgentSettings: Equatable, Sendable {
    package var gateway: Endpoint?
    package var pin: Fingerprint?
    package var authority: String?
    package var gatewayName: String?
    package var concurrency = AgentLimits().concurrency
    package var connections = AgentLimits().connections
    package var interfaces: [String] = []
    package var limitRate: ByteRate?
    package var retryFor = TimeSpan(AgentLimits().retryFor)
    package var compress = CompressionChoice.auto
    package var prefix = ""
    package var partSize: ByteSize?
    package var ifExists = ExistingKeyPolicy.verify
    package var contentType = ""
    package var settle = TimeSpan(Uploader.Configuration.usualSettle)
    package var receipts = false
    package var checksum = false
    package var plaintext = false
    package var verbose = false
    package var folders: [FolderSettings] = []
    package var limits = ScheduleSettings()
    package var quarantineAfter = Int(FolderRules().quarantineAfter)
    package var stateLimit: ByteSize?
    package var metered: MeteredSettings?

    package init() {}

    /// The name of the file without its end.
    package static let fileName = "agent"
    /// The folder in the user's home directory that is the usual home.
    package static let usualFolder = ".sluice"

    /// All settings. The page Documentation/settings.md is made from it.
    package static let table = SettingsTable(
        program: "sluice-agent", initial: AgentSettings(),
        settings:
            gatewaySettings + transferSettings + fileSettings + serviceSettings,
        rules: rules)

    private static let initial = AgentSettings()

    private static let gatewaySettings: [Setting<AgentSettings>] = [
        Setting(
            "gateway", \.gateway, .endpoint, initial: initial,
            "The gateway to connect to."),
        Setting(
            "pin", \.pin,
            SettingForm.value(
                "a fingerprint, sha256: and 64 digits", text: \Fingerprint.description, parse: { Fingerprint($0) }
            ),
            scope: .fileOnly, initial: initial,
            "The fingerprint of the gateway's key. `init` writes it."),
        Setting(
            "ca", \.authority, .path, scope: .fileOnly, initial: initial,
            "Instead of `pin`: the authority that signs the gateway's certificate, a PEM file; relative to the home. "
                + "`init --ca` writes it."),
        Setting(
            "gateway-name", \.gatewayName, .text, scope: .fileOnly, initial: initial,
            usual: "the host of `gateway`",
            "With `ca`: the name in the gateway's certificate. `init --ca` writes it."),
        Setting(
            "plaintext", \.plaintext, .truth, initial: initial,
            "Without TLS, to a gateway on this machine with the same setting."),
    ]

    private static let transferSettings: [Setting<AgentSettings>] = [
        Setting(
            "concurrency", \.concurrency, .count(AgentLimits.concurrencyRange), initial: initial,
            "Parts under way at once."),
        Setting(
            "connections", \.connections, .count(AgentLimits.connectionsRange), initial: initial,
            "Connections at once; parts are spread over all of them."),
        Setting(
            "interface", \.interfaces,
            .list(
                of: .interface, words: "names with commas, such as eth0,wwan0; in the file also a list",
                countMax: AgentLimits.connectionsRange.upperBound), initial: initial, usual: "by the system's routes",
            "Network interfaces to use: at least one connection for each."),
        Setting(
            "limit-rate", \.limitRate, .rate, initial: initial, usual: "no limit",
            "Highest rate to send at, over all connections together."),
        Setting(
            "retry-for", \.retryFor,
            .time(.seconds(1)...AgentLimits.retryForMax, words: "a time from 1s, such as 30s or 5min"),
            initial: initial, "How long to try without progress before the run ends for now."),
        Setting(
            "compress", \.compress, .word(), initial: initial,
            "Whether to compress with LZ4: where that saves time, always, or never."),
    ]

    private static let fileSettings: [Setting<AgentSettings>] = [
        Setting("prefix", \.prefix, .text, initial: initial, "Put before every key."),
        Setting(
            "part-size", \.partSize,
            .size(1...AgentLimits.partBytesMax, words: "a size from 1B to 5GiB, such as 8MiB"),
            initial: initial, usual: "the gateway chooses", "The size of parts."),
        Setting(
            "if-exists", \.ifExists,
            .word([("verify", .verify), ("replace", .replace), ("fail", .fail)]), initial: initial,
            "If the key holds an object: verify that it is this file, replace it, or fail."),
        Setting(
            "content-type", \.contentType, .text, initial: initial, usual: "none",
            "The objects' content type, for example video/mp4."),
        Setting(
            "settle", \.settle, .time(.zero...AgentLimits.retryForMax, words: "a time, such as 30s or 5min"),
            initial: initial, "Time between two looks at a file that may still be written."),
        Setting(
            "receipts", \.receipts, .truth, initial: initial,
            "Ask for the gateway's signed receipts."),
        Setting(
            "checksum", \.checksum, .truth, initial: initial,
            "Read and compare also files that are unchanged since they were stored."),
        Setting(
            "verbose", \.verbose, .truth, initial: initial, "A line per part, and more in the log."),
    ]

    private static let serviceSettings: [Setting<AgentSettings>] = [
        Setting(
            "folders", \.folders, FolderSettings.list, scope: .fileOnly, initial: initial,
            "The folders that `run` watches; see [Keys of a folder](service.md#keys-of-a-folder)."),
        Setting(
            "limits", \.limits, ScheduleSettings.keys.form(words: "a map with rate and schedule"), scope: .fileOnly,
            initial: initial, usual: "`limit-rate`",
            "The rates of `run` by the clock; see [Rates by the clock](service.md#rates-by-the-clock)."),
        Setting(
            "metered", \.metered, MeteredSettings.keys.form(words: "a map with interfaces and min-priority"),
            scope: .fileOnly, initial: initial,
            "What `run` sends through interfaces that cost money; see [Metered links](service.md#metered-links)."),
        Setting(
            "quarantine-after", \.quarantineAfter, .count(1...255), scope: .fileOnly, initial: initial,
            "After this many failures in a row for a reason of its own, `run` puts a file into quarantine."),
        Setting(
            "state-limit", \.stateLimit,
            .size((16 << 20)...(1 << 40), words: "a size from 16MiB to 1TiB, such as 1GiB"),
            scope: .fileOnly, initial: initial, usual: "no limit",
            "While the records of `run` take up this much space, it deletes and moves files, but sends none."),
    ]

    private static let rules: [SettingRule<AgentSettings>] = [
        SettingRule("ca") { settings in
            settings.authority != nil && settings.pin != nil
                ? "pin is given, too; remove the one that is not meant" : nil
        },
        SettingRule("plaintext") { settings in
            settings.plaintext && settings.gateway?.isLoopback == false
                ? "is for gateways on this machine, such as 127.0.0.1:7420, only" : nil
        },
    ]
}

extension SettingForm where Value == String {
    static let interface = SettingForm.value(
        "the name of a network interface", text: { $0 }, parse: { NetworkInterfaces.isName($0) ? $0 : nil })
}
