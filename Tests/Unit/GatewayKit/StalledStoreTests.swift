import AgentKit
import Foundation
import GatewayKit
import NIOPosix
import ObjectStore
import ObjectStoreConformance
import TestSupport
import Testing
import TransferCommon
import TransferCore

/// A store stops reading the parts of some uploads. These uploads use up their credit, take no further memory, and
/// wait. Other uploads continue.
@Suite(.timeLimit(.minutes(5)))
struct StalledStoreTests {
    @Test func aStalledStoreExhaustsCreditAndNothingElse() async throws {
        try await withTemporaryDirectory { directory in
            let objects = directory.appending(path: "store").path(percentEncoded: false)
            try FileManager.default.createDirectory(atPath: objects, withIntermediateDirectories: true)
            let files = try await FileStore.open(path: objects, threads: .singleton, logger: InProcessSite.logger)
            let store = StallingStore(files, stalledPrefix: "slow/")
            let site = InProcessSite(directory: directory)
            try await site.withGateway(store, limits: limits) { port in
                try await withFaultProxy(upstreamPort: port) { proxy in
                    let large = try site.makeFile("large", bytes: 64 << 20, seed: 1)
                    let small = try site.makeFile("small", bytes: 3 << 20, seed: 2)
                    let slow = try site.makeAgent("slow", port: proxy.port)
                    let fast = try site.makeAgent("fast", port: port)
                    async let stalled = slow.push(large, key: "slow/large")
                    try await withDeadline(.seconds(120), "parts to stall") {
                        try await store.stalls.wait { $0 >= 4 ? () : nil }
                        try await proxy.wait(untilBytes: 4 * Int(limits.windowBytes), towards: .upstream)
                    }
                    let summary = try await fast.push(small, key: "fast/small")
                    #expect(summary.failures == [])
                    #expect(try fileDigest(URL(filePath: objects + "/fast/small")) == fileDigest(small))
                    // The gateway received the bytes that it gave credit for, and no more.
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
}

/// A store that does not read the parts of keys below a prefix until `goOn` is called.
private final class StallingStore: ForwardingStore {
    let base: FileStore
    let stalledPrefix: String
    let stalls = Watched(0)
    private let mayGoOn = Watched(false)

    init(_ base: FileStore, stalledPrefix: String) {
        self.base = base
        self.stalledPrefix = stalledPrefix
    }

    func goOn() { mayGoOn.update { $0 = true } }

    func uploadPart(
        key: ObjectKey, upload: String, number: PartNumber, body: ObjectBody
    ) async throws(StoreError) -> String {
        if key.hasPrefix(stalledPrefix.utf8) {
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
