import AgentKit
import Cryptography
import Foundation
import GatewayKit
import Logging
import NIOCore
import ObjectStore
import S3Store
import ScriptedS3
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// A gateway in front of a scripted store, with real agents and a real store client that retry quickly.
struct Relay {
    static let key = "file"

    let site: InProcessSite
    let s3: ScriptedS3
    /// The loopback port at which the gateway listens.
    let port: Int
    /// Part size in bytes: the smallest that the store accepts.
    let partBytes: Int

    /// Runs a scripted store and a gateway in front of it.
    ///
    /// - Parameters:
    ///   - partBytesMin: replaces the store's minimum part size, so that small files have many parts; `nil` for the
    ///     real minimum.
    ///   - changeLimits: adjusts the gateway's limits.
    ///   - changeStore: adjusts the gateway's store client.
    static func with(
        _ rules: S3Rules, partBytesMin: Int? = 64 << 10,
        limits changeLimits: (inout GatewayLimits) -> Void = { _ in },
        store changeStore: (inout S3Configuration) -> Void = { _ in },
        gateway changeGateway: (inout GatewayServer.Configuration) -> Void = { _ in },
        logger: Logger = InProcessSite.logger,
        _ body: (Relay) async throws -> Void
    ) async throws {
        var rules = rules
        if let partBytesMin { rules.partBytesMin = partBytesMin }
        try await ScriptedS3.withServer(rules) { s3 in
            let configuration = try configuration(of: s3, changeStore)
            let credentials = FixedCredentials(S3Credentials(accessKeyID: "id", secretAccessKey: "secret"))
            let store = try await S3Store.open(
                configuration: configuration, credentials: credentials, logger: InProcessSite.logger)
            var limits = GatewayLimits(parts: SiteStore.partRule(of: store, partBytesMin: 1_024))
            limits.lossCheckInterval = .milliseconds(50)
            limits.sessionGrace = .milliseconds(100)
            changeLimits(&limits)
            let result: Result<Void, any Error>
            do {
                try await withTemporaryDirectory("relay") { directory in
                    let site = InProcessSite(directory: directory)
                    try await site.withGateway(store, limits: limits, logger: logger, changeGateway) { port in
                        try await body(Relay(site: site, s3: s3, port: port, partBytes: s3.rules.partBytesMin))
                    }
                }
                result = .success(())
            } catch {
                result = .failure(error)
            }
            await store.shutdown()
            try result.get()
        }
    }

    /// Runs `body` with a second client of the same store, such as the one that an operator's command opens.
    func withStore<Success>(_ body: (S3Store) async throws -> Success) async throws -> Success {
        let credentials = FixedCredentials(S3Credentials(accessKeyID: "id", secretAccessKey: "secret"))
        let store = S3Store(
            configuration: try Self.configuration(of: s3) { _ in }, credentials: credentials,
            logger: InProcessSite.logger)
        let result: Result<Success, any Error>
        do {
            result = .success(try await body(store))
        } catch {
            result = .failure(error)
        }
        await store.shutdown()
        return try result.get()
    }

    /// Removes the unfinished uploads that are older than `age` by the scripted store's clock, as `uploads clean` does.
    func clean(olderThan age: Duration) async throws {
        let report = try await withStore { store in
            try await UploadCleaner(store: store, pauseBetweenAborts: .zero, logger: InProcessSite.logger)
                .clean(olderThan: age)
        }
        #expect(report.failedCount == 0)
    }

    /// Short timeouts of the store client, for tests in which the store does not answer. They are long enough for a
    /// busy machine.
    static func impatient(_ configuration: inout S3Configuration) {
        configuration.timeouts.answer = .seconds(1)
        configuration.timeouts.completion = .seconds(1)
    }

    private static func configuration(
        of s3: ScriptedS3, _ change: (inout S3Configuration) -> Void
    ) throws -> S3Configuration {
        var provider = try #require(S3Provider.named(s3.rules.name))
        provider.partBytesMin = UInt64(s3.rules.partBytesMin)
        var configuration = try S3Configuration(
            bucket: ScriptedS3.bucket, endpoint: s3.endpoint, region: "us-east-1", addressing: .path,
            provider: provider)
        configuration.timeouts.answer = .seconds(30)
        configuration.timeouts.completion = .seconds(30)
        configuration.retries.delayFirst = .milliseconds(10)
        change(&configuration)
        return configuration
    }

    func makeAgent(
        _ name: String = "agent", _ change: (inout Uploader.Configuration) -> Void = { _ in }
    ) throws -> Uploader {
        try site.makeAgent(name, port: port) { configuration in
            configuration.partBytesWish = UInt64(partBytes)
            configuration.limits.retry = RetryPolicy(first: .milliseconds(20), longest: .milliseconds(500))
            change(&configuration)
        }
    }

    /// Pushes a file of `parts` parts and 17 bytes. Expects that the object equals the file, and that unfinished
    /// uploads and session records together number `unfinished`.
    @discardableResult
    func pushAndExpect(
        parts: Int, leaves unfinished: Int = 0, _ change: (inout Uploader.Configuration) -> Void = { _ in },
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> RunSummary {
        let file = try site.makeFile(Self.key, bytes: parts * partBytes + 17)
        let summary = try await makeAgent("agent", change).push(file, key: Self.key)
        #expect(summary.failures == [], "\(s3.calls)", sourceLocation: sourceLocation)
        try expectObject(file, sourceLocation: sourceLocation)
        try await expectUnfinished(unfinished, sourceLocation: sourceLocation)
        return summary
    }

    func expectObject(
        _ file: URL, key: String = key, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let object = try #require(s3.object(key), "no object", sourceLocation: sourceLocation)
        #expect(
            try SHA256Digest.of(object.readableBytesView) == fileDigest(file), "the object is not the file",
            sourceLocation: sourceLocation)
    }

    /// Waits until unfinished uploads and session records together number `count`. This may take a moment, because the
    /// gateway removes a record only after it has answered the agent.
    func expectUnfinished(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        do {
            try await withDeadline(.seconds(120), "\(count) uploads and records") {
                // The scripted store has no notification for changes, so poll.
                while s3.uploads.count + records.count != count { try await Task.sleep(for: .milliseconds(5)) }
            }
        } catch {
            Issue.record("\(s3.uploads) \(records) are left: \(error)", sourceLocation: sourceLocation)
        }
    }

    /// Keys of the session records in the store.
    var records: [String] { s3.keys.filter { $0.hasPrefix(".sluice/sessions/") } }
}
