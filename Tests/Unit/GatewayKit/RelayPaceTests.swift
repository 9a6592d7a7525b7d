import AgentKit
import Foundation
import GatewayKit
import Logging
import ObjectStore
import S3Store
import ScriptedS3
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// How the gateway copes with an overloaded store, a slow part and expired uploads.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct RelayPaceTests {
    @Test func aStormOfSlowDownCostsFewBytes() async throws {
        try await Relay.with(.aws) { relay in
            relay.s3.inject(.refuse(status: 503, code: "SlowDown"), into: .uploadPart, times: 20)
            let parts = 32
            let summary = try await relay.pushAndExpect(parts: parts) { $0.limits.concurrency = 16 }
            // The agent sends at most 36 parts a second time: the 20 that the store refused, and the 16 that were in
            // flight at the first refusal. Deferred parts cost no data.
            let twice = Int(summary.bytesSent) - (parts * relay.partBytes + 17)
            #expect(twice <= (20 + 16) * relay.partBytes, "\(twice)")
            #expect(relay.s3.calls.count { $0.operation == .uploadPart && !$0.isProbe } == parts + 1 + 20)
        }
    }

    @Test(arguments: [(507, "InsufficientStorage"), (403, "QuotaExceeded")])
    func aFullStoreIsSentFewParts(status: Int, code: String) async throws {
        let log = Watched<[String]>([])
        try await Relay.with(
            .minio, limits: { $0.breaker.waitFirstWhereFull = .seconds(1) }, logger: LineKeeper.logger(log)
        ) {
            relay in
            relay.s3.inject(.refuse(status: status, code: code), into: .uploadPart, times: .max)
            let parts = 32
            let file = try relay.site.makeFile(Relay.key, bytes: parts * relay.partBytes)
            async let push = relay.makeAgent().push(file, key: Relay.key)
            // Only waiting can show that the agent sends nothing but trial parts. The waits before the trials are 1, 2
            // and 4 s long, so three trials fit into 8 s.
            try await Task.sleep(for: .seconds(8))
            relay.s3.stopFaults()
            let refused = relay.s3.calls.count { $0.operation == .uploadPart && !$0.isProbe }
            let summary = try await push
            #expect(summary.failures == [])
            try relay.expectObject(file)
            #expect(refused <= 4 + 3, "\(refused)")
            #expect(Int(summary.bytesSent) <= (parts + 4 + 4) * relay.partBytes)
            let told = log.current.filter { $0.hasPrefix("The store takes") }
            #expect(told == ["The store takes no data; agents wait cause: full", "The store takes data again "])
        }
    }

    /// The store leaves one part unanswered. Long before the store client's timeout, the agent sends that part again on
    /// another connection.
    @Test func theSlowTailIsSentAgain() async throws {
        try await Relay.with(
            .aws,
            limits: {
                $0.store.slowAfterLeast = .milliseconds(300)
                $0.store.answersNeeded = 4
                $0.store.storedBetweenRepeats = 4
            },
            store: { $0.timeouts.answer = .seconds(30) }
        ) { relay in
            relay.s3.inject(.silence, into: .uploadPart, part: 10)
            let summary = try await relay.pushAndExpect(parts: 12)
            #expect(relay.s3.calls.count { $0.operation == .uploadPart && $0.number == 10 } == 2)
            #expect(summary.seconds < 25)
        }
    }

    /// While the first part after eight days is in flight, only the rewritten session record shows the cleaner that the
    /// upload is in use.
    @Test func resumedUploadIsNotCleaned() async throws {
        try await Relay.with(.minio) { relay in
            let agent = try relay.makeAgent()
            let file = try relay.site.makeFile(Relay.key, bytes: 5 * relay.partBytes)
            relay.s3.inject(.refuse(status: 403, code: "AccessDenied"), into: .uploadPart, part: 4)
            let refused = try await agent.push(file, key: Relay.key)
            #expect(refused.failures.map(\.failure.kind) == [.storeRefuses])
            relay.s3.advanceClock(by: .seconds(8 * 86_400))
            relay.s3.inject(.loseRequest, into: .uploadPart, times: .max)
            let (partCount, writeCount) = (relay.s3.count(.uploadPart), relay.s3.count(.putObject))
            // Give the gateway time to forget the session.
            try await Task.sleep(for: .milliseconds(500))
            async let summary = agent.push(file, key: Relay.key)
            try await withDeadline(.seconds(120), "a part to be tried, and the record to be written") {
                while relay.s3.count(.uploadPart) == partCount || relay.s3.count(.putObject) == writeCount {
                    // The scripted store has no notification for calls, so poll.
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
            try await relay.clean(olderThan: .seconds(7 * 86_400))
            #expect(relay.s3.uploads.count == 1)
            relay.s3.stopFaults()
            #expect(try await summary.failures == [])
            try relay.expectObject(file)
            try await relay.expectUnfinished(0)
            #expect(relay.s3.count(.createUpload) == 1)
        }
    }

    @Test func runningGatewayRemovesExpiredUploads() async throws {
        let log = Watched<[String]>([])
        try await Relay.with(.minio, gateway: { $0.unfinishedExpiry = .seconds(600) }, logger: LineKeeper.logger(log)) {
            relay in
            try await relay.withStore { store in
                let records = SessionRecords(store: store)
                var record = SessionRecord(
                    device: "camera-7", session: SessionID(high: 0, low: 1),
                    terms: SessionTerms(
                        key: "old", size: nil, partBytes: 5 << 20, modification: .init(seconds: 1, nanoseconds: 0),
                        condition: .absent), upload: nil)
                record.upload = relay.s3.beginUpload("old", parts: [[1, 2, 3], [4, 5]])
                try await records.write(record)
                relay.s3.beginUpload("foreign", parts: [[1]])
                relay.s3.advanceClock(by: .seconds(86_400))
                record.terms.key = "young"
                record.upload = relay.s3.beginUpload("young", parts: [[1]])
                try await records.write(record)
                // Two gateways keep the same store clean at the same time.
                async let left: Void = ExpiryKeeper(store: store, expiry: .seconds(600), logger: LineKeeper.logger(log))
                    .clean()
                async let right: Void = ExpiryKeeper(
                    store: store, expiry: .seconds(600), logger: LineKeeper.logger(log)
                ).clean()
                _ = await (left, right)
                #expect(Set(relay.s3.uploads.map(\.key)) == ["foreign", "young"])
                #expect(relay.records.count == 1)
                #expect(log.current.contains { $0.contains("uploads.removed: 1") && $0.contains("removed_bytes: 5") })
            }
        }
    }
}
