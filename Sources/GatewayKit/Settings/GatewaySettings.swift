import ObjectStore
package import S3Store
package import Settings
import TransferCore

/// The settings of the gateway that hold for more than one call. `gateway.yaml` in the home has them; environment
/// variables and flags override it.
package struct GatewaySettings: Equatable, Sendable {
    package var listen = GatewaySettings.usualListen
    package var gateway: Endpoint?
    package var store: String?
    package var endpoint: String?
    package var region: String?
    package var addressing: S3Addressing?
    package var provider: S3Provider?
    package var storeAuthorities: String?
    package var verify = PartVerification.auto
    package var budget = ByteSize(bytes: GatewayLimits.usualBudgetBytes)
    package var drainLimit = TimeSpan(GatewayServer.usualDrainLimit)
    package var unfinishedExpiry = TimeSpan(GatewayProgram.usualUnfinishedExpiry)
    package var authority: String?
    package var proxyFrom = ProxyNetworks()
    package var plaintext = false
    package var verbose = false

    package init() {}

    package static let usualListen = Endpoint(host: "127.0.0.1", port: 7_420)

    /// What `init` writes into the file.
    static let textOfNewFile = """
        # Settings of this gateway. sluice-gateway config show lists all of them.
        listen: "\(usualListen)"

        """

    /// The name of the file without its end.
    package static let fileName = "gateway"
    /// The folder in the user's home directory that is the usual home.
    package static let usualFolder = ".sluice-gateway"

    /// Throws if a directory is the home of an agent.
    package static func checkHome(_ path: String) throws(GatewayHomeError) {
        guard HomeOwner.of(path) == .agent else { return }
        throw GatewayHomeError(
            "\(path) is the home of a sluice-agent; name this gateway's with --home or \(SettingVariables.home)")
    }

    /// All settings. The page Documentation/settings.md is made from it.
    package static let table = SettingsTable(
        program: "sluice-gateway", initial: GatewaySettings(), settings: serviceSettings + storeSettings, rules: rules)

    private static let initial = GatewaySettings()
    private static let longTime = Duration.seconds(3_660 * 86_400)

    private static let serviceSettings: [Setting<GatewaySettings>] = [
        Setting(
            "listen", \.listen, .endpoint, initial: initial,
            "Where to listen, for example 0.0.0.0:7420; port 0 for any port."),
        Setting(
            "gateway", \.gateway, .endpoint, initial: initial, usual: "`listen`, if devices can reach it",
            "This gateway as devices reach it, for `device invite`."),
        Setting(
            "budget", \.budget, .size(GatewayLimits.budgetRange, words: "a size from 8MiB to 1TiB, such as 64MiB"),
            initial: initial, "Memory for parts under way."),
        Setting(
            "drain-limit", \.drainLimit, .time(.zero...longTime, words: "a time, such as 30s or 5min"),
            initial: initial, "How long agents may finish after SIGTERM."),
        Setting(
            "unfinished-expiry", \.unfinishedExpiry,
            .time(GatewayProgram.unfinishedExpiryMin...longTime, words: "a time of at least 1h, such as 7d"),
            initial: initial, "Remove unfinished uploads that got no part for this long."),
        Setting(
            "ca", \.authority, .path, initial: initial,
            "A PEM file, the authority whose certificates name the devices. Devices on the list with a fingerprint are "
                + "still identified by their keys."),
        Setting(
            "proxy-from", \.proxyFrom, .proxyNetworks, initial: initial,
            "The addresses or networks of balancers. They must begin every connection with a header of the PROXY "
                + "protocol, version 2."),
        Setting(
            "plaintext", \.plaintext, .truth, initial: initial,
            "Without TLS, for agents on this machine with the same setting."),
        Setting("verbose", \.verbose, .truth, initial: initial, "Log more."),
    ]

    private static let storeSettings: [Setting<GatewaySettings>] = [
        Setting(
            "store", \.store,
            .checkedText(words: "file:///directory or s3://bucket/prefix") { text in
                do throws(StoreLocationError) {
                    _ = try StoreLocation(parsing: text)
                    return nil
                } catch {
                    return error.description
                }
            }, initial: initial, "Where objects go."),
        Setting(
            "s3-endpoint", \.endpoint,
            .checkedText(words: "http://host:port or https://host/path") { text in
                do throws(S3ConfigurationError) {
                    _ = try S3Endpoint(parsing: text)
                    return nil
                } catch {
                    return error.description
                }
            }, initial: initial, usual: "AWS", "The S3 server, if not AWS."),
        Setting("s3-region", \.region, .text, initial: initial, usual: "the store's", "Its region, if it has one."),
        Setting(
            "s3-addressing", \.addressing, .word(), initial: initial, usual: "the provider's",
            "Buckets in the path or in the host name."),
        Setting(
            "s3-provider", \.provider, .word(S3Provider.all.map { ($0.name, $0) }), initial: initial,
            usual: "by the address", "The kind of store, if its address does not reveal it."),
        Setting(
            "s3-ca", \.storeAuthorities, .path, initial: initial, usual: "the system's",
            "A PEM file: the authority of the store's certificate, instead of the system's."),
        Setting(
            "verify", \.verify, .word(), initial: initial,
            "What checks the digests of parts: always the gateway, only the store, or auto: the store if it can."),
    ]

    private static let rules: [SettingRule<GatewaySettings>] = [
        SettingRule("plaintext") { settings in
            settings.plaintext && !settings.listen.isLoopback
                ? "is for loopback addresses such as 127.0.0.1:7420 only" : nil
        },
        SettingRule("ca") { settings in
            settings.plaintext && settings.authority != nil
                ? "has no effect without TLS: leave out either --ca or --plaintext" : nil
        },
    ]
}

extension SettingForm where Value == ProxyNetworks {
    fileprivate static let proxyNetworks: SettingForm = {
        let words = "addresses or networks with commas, such as 10.0.0.0/8; in the file also a list"
        let list = SettingForm<[String]>.list(
            of: .value(
                "an address or a network, such as 10.0.0.0/8", text: { $0 },
                parse: { ProxyNetworks(parsing: $0).map(\.text) }), words: words, countMax: 256)
        let networks: @Sendable ([String]) -> Result<ProxyNetworks, SettingRefusal> = { texts in
            ProxyNetworks(parsing: texts.joined(separator: ",")).map { .success($0) }
                ?? .failure(SettingRefusal("must be \(words)"))
        }
        return SettingForm(
            words: words, parse: { list.parse($0).flatMap(networks) },
            read: { cursor in
                guard let texts = list.read(cursor) else { return nil }
                switch networks(texts) {
                case .success(let value): return value
                case .failure(let refusal):
                    cursor.refuse(refusal.reason)
                    return nil
                }
            }, text: \.text)
    }()
}
