import ArgumentParser
import CommandSupport
import GatewayKit
import ObjectStore
import S3Store

struct HomeOption: ParsableArguments {
    @Option(help: "The gateway's home directory.") var home: String

    var gateway: GatewayHome { GatewayHome(path: home) }
}

struct StoreOptions: ParsableArguments {
    @Option(help: "Where objects go: file:///directory or s3://bucket/prefix.") var store: String?
    @Option(name: .customLong("s3-endpoint"), help: "The S3 server, if not AWS: http://host:port or https://host/path.")
    var endpoint: String?
    @Option(name: .customLong("s3-region"), help: "Its region, if it has one.") var region: String?
    @Option(name: .customLong("s3-addressing"), help: "Buckets in the path or in the host name.") var addressing:
        S3Addressing?
    @Option(
        name: .customLong("s3-provider"),
        help: "The kind of store, if its address does not reveal it: \(S3Provider.names).")
    var provider: S3Provider?
    @Option(
        name: .customLong("s3-ca"),
        help: "A PEM file: the authority of the store's certificate, instead of the system's.")
    var authorities: String?
    @Option(help: "What checks the digests of parts: always the gateway, only the store, or auto: the store if it can.")
    var verify: PartVerification?

    func site(_ settings: Settings) throws -> SiteStore {
        guard let location = try settings.value(store, "store") else {
            throw ValidationError("Say where objects go: --store file:///directory or s3://bucket/prefix")
        }
        var site = SiteStore(location: location)
        site.endpoint = try settings.value(endpoint, "s3-endpoint")
        site.region = try settings.value(region, "s3-region")
        site.addressing = try settings.value(addressing, "s3-addressing")
        site.provider = try settings.value(provider, "s3-provider")
        site.authoritiesFile = try settings.value(authorities, "s3-ca")
        site.verification = try settings.value(verify, "verify") ?? .auto
        return site
    }
}

extension S3Addressing: ExpressibleByArgument {}
extension PartVerification: ExpressibleByArgument {}

extension S3Provider: ExpressibleByArgument {
    fileprivate static let names = all.map(\.name).joined(separator: ", ")

    public init?(argument: String) {
        guard let provider = Self.named(argument) else { return nil }
        self = provider
    }
}
