import AgentKit
import Foundation
import GatewayKit
import Logging
import NIOPosix
import ObjectStore
import ObjectStoreConformance
import SecureChannel
import TestSupport
import Testing
import TransferCore
import WireProtocol

/// A store that takes no bytes costs credit, not the process: what is under way waits, and the rest goes on.
@Suite(.timeLimit(.minutes(2)))
struct StalledStoreTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test func aStalledStoreExhaustsCreditAndNothingElse() async throws {
        try await withTemporaryDirectory { directory in
            let objects = directory.appending(path: "store").path(percentEncoded: false)
            try FileManager.default.createDirectory(atPath: objects, withIntermediateDirectories: true)
            let files = try await FileStore.open(path: objects, threads: .singleton, logger: Self.logger)
            let store = StallingStore(files, stalledPrefix: "slow/")
            try await withServer(store, in: directory) { home, port in
                try await withFaultProxy(upstreamPort: port) { proxy in
                    let large = directory.appending(path: "large")
                    try SeededFile(seed: 1, byteCount: 64 << 20).write(to: large)
                    let small = directory.appending(path: "small")
                    try SeededFile(seed: 2, byteCount: 3 << 20).write(to: small)
                    let slow = try uploader("slow", gatewayHome: home, port: proxy.port, in: directory)
                    let fast = try uploader("fast", gatewayHome: home, port: port, in: directory)
                    async let stalled = slow.run(
                        .push(paths: [large.path()], key: "slow/large", prefix: "", filter: .init())
                    ) { _ in }
                    try await withDeadline(.seconds(30), "parts to stall") {
                        try await store.stalls.wait { $0 >= 4 ? () : nil }
                        try await proxy.wait(untilBytes: 4 * Int(limits.windowBytes), towards: .upstream)
                    }
                    // Another file goes through meanwhile.
                    let summary = try await fast.run(
                        .push(paths: [small.path()], key: "fast/small", prefix: "", filter: .init())
                    ) { _ in
                    }
                    #expect(summary.failures == [])
                    #expect(try fileDigest(URL(filePath: objects + "/fast/small")) == fileDigest(small))
                    // What the stalled parts were given credit for has come, and not a byte more.
                    let credit = 4 * Int(limits.windowBytes) + Int(limits.initialCreditBytes)
                    #expect(proxy.counts.towardsUpstream.bytesForwarded <= credit + 100_000)
                    store.goOn()
                    #expect(try await stalled.failures == [])
                    #expect(try fileDigest(URL(filePath: objects + "/slow/large")) == fileDigest(large))
                }
            }
        }
    }

    private var limits: GatewayLimits {
        var limits = GatewayLimits(
            parts: PartRule(
                partBytesMin: 1 << 20, partBytesMax: 1 << 30, partBytesDefault: 8 << 20, partsMax: 10_000,
                objectBytesMax: 1 << 40))
        limits.windowBytes = 1 << 20
        limits.initialCreditBytes = 256 << 10
        return limits
    }

    private func withServer(
        _ store: any ObjectStore, in directory: URL, _ body: (GatewayHome, Int) async throws -> Void
    ) async throws {
        let home = GatewayHome(path: directory.appending(path: "gateway").path(percentEncoded: false))
        _ = try home.create(name: "gate")
        let port = Watched<Int?>(nil)
        let server = GatewayServer(
            configuration: .init(host: "127.0.0.1", port: 0, limits: limits, software: "test"), home: home,
            store: store, logger: Self.logger
        ) { address in
            let number = address.split(separator: ":").last.flatMap { Int($0) }
            port.update { $0 = number }
        }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.run() }
            let number = try await withDeadline(.seconds(10), "the gateway to listen") { try await port.wait { $0 } }
            try await body(home, number)
            tasks.cancelAll()
        }
    }

    private func uploader(_ name: String, gatewayHome: GatewayHome, port: Int, in directory: URL) throws -> Uploader {
        let home = AgentHome(path: directory.appending(path: name).path(percentEncoded: false))
        let pin = try gatewayHome.identity().fingerprint
        let fingerprint = try home.create(name: name, gateway: "127.0.0.1:\(port)", pin: pin)
        try gatewayHome.addDevice(name: name, fingerprint: fingerprint, prefix: "")
        let configuration = Uploader.Configuration(host: "127.0.0.1", port: port, software: "test")
        return Uploader(home: home, configuration: configuration, logger: Self.logger)
    }
}

/// A store that takes no bytes of some keys' parts until it is told to go on.
private final class StallingStore: ForwardingStore {
    let base: FileStore
    let stalledPrefix: String
    /// How many parts have been stalled.
    let stalls = Watched(0)
    private let mayGoOn = Watched(false)

    init(_ base: FileStore, stalledPrefix: String) {
        self.base = base
        self.stalledPrefix = stalledPrefix
    }

    func goOn() { mayGoOn.update { $0 = true } }

    func uploadPart(
        key: String, upload: String, number: PartNumber, body: ObjectBody
    ) async throws(StoreError) -> String {
        if key.hasPrefix(stalledPrefix) {
            stalls.update { $0 += 1 }
            do {
                try await mayGoOn.wait { $0 ? () : nil }
            } catch {
                throw StoreError(.cancelled)
            }
        }
        return try await base.uploadPart(key: key, upload: upload, number: number, body: body)
    }
}
