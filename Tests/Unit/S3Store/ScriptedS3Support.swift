import Logging
import NIOCore
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import ScriptedS3
import Testing
import WireProtocol

/// Opens a store on a scripted server with the rules of one provider.
func withStore(
    of rules: S3Rules, _ change: (inout S3Configuration) -> Void = { _ in },
    _ body: (S3Store, ScriptedS3) async throws -> Void
) async throws {
    try await ScriptedS3.withServer(rules) { s3 in
        try await withStore(on: s3, change) { try await body($0, s3) }
    }
}

func withStore(
    on s3: ScriptedS3, _ change: (inout S3Configuration) -> Void = { _ in }, logger: Logger = quietLogger,
    _ body: (S3Store) async throws -> Void
) async throws {
    var provider = try #require(S3Provider.named(s3.rules.name))
    provider.partBytesMin = UInt64(s3.rules.partBytesMin)
    var configuration = try S3Configuration(
        bucket: ScriptedS3.bucket, endpoint: s3.endpoint, region: "us-east-1", addressing: .path,
        provider: provider)
    change(&configuration)
    let store = try await S3Store.open(
        configuration: configuration, credentials: anyCredentials, logger: logger)
    try await shuttingDown(store, body)
}
