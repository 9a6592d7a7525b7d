import AgentKit
import Foundation
import GatewayKit
import NIOCore
import ObjectStore
import S3Store
import ScriptedS3
import TestSupport
import Testing
import TransferCore
import WireProtocol

/// Faults of a store and of the network in front of it, one at a time, with a real agent and a real gateway. In the end
/// the object equals the file, and no unfinished upload remains.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct RelayFaultTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let fault: S3Fault
        let operation: S3Call.Operation
        var part: Int?
        var times = 1

        var isFlip: Bool {
            if case .flipByte = fault { true } else { false }
        }

        /// Shortens the client's timeouts for faults that end only by a timeout.
        func patience(_ configuration: inout S3Configuration) {
            switch fault {
            case .silence, .deafness: Relay.impatient(&configuration)
            default: break
            }
        }

        init(
            _ name: String, _ operation: S3Call.Operation, part: Int? = nil, times: Int = 1, _ fault: S3Fault
        ) {
            self.testDescription = name
            self.fault = fault
            self.operation = operation
            self.part = part
            self.times = times
        }
    }

    static let slowDown = S3Fault.refuse(status: 503, code: "SlowDown")
    static let away = S3Fault.refuse(status: 500, code: "InternalError")

    static let parts: [Case] = [
        Case("part 2 fails while 3 succeeds", .uploadPart, part: 2, times: 3, away),
        Case(
            "a part is refused while it is on its way", .uploadPart, part: 2,
            .refuseEarly(
                afterBytes: 1_000, status: 503, code: "SlowDown")),
        Case(
            "a stall of 20 s: RequestTimeout", .uploadPart, part: 3, times: 2,
            .refuseEarly(
                afterBytes: 30_000, status: 400, code: "RequestTimeout")),
        Case("RequestTimeout after the body", .uploadPart, part: 3, .refuse(status: 400, code: "RequestTimeout")),
        Case("a storm of 503", .uploadPart, times: 12, slowDown),
        Case("a storm of 503 of a proxy", .uploadPart, times: 6, .refuse(status: 503, code: "")),
        Case("a reset in the body", .uploadPart, part: 1, .reset(afterBytes: 20_000)),
        Case("a lost request", .uploadPart, part: 4, .loseRequest),
        Case("a lost answer to a part", .uploadPart, part: 4, .loseAnswer),
        Case("an answer to a part that never comes", .uploadPart, part: 2, .silence),
        Case("a part that is never taken", .uploadPart, part: 2, .deafness),
        Case("a slow answer to a part", .uploadPart, part: 2, .slow(.milliseconds(300))),
        Case("a part's answer without an ETag", .uploadPart, part: 2, .etag("")),
        Case("a part's answer with another ETag", .uploadPart, part: 2, .etag("\"0123\"")),
        Case("a stale writer puts another part over it", .uploadPart, part: 2, .overwritten),
        Case("a byte that arrives as another", .uploadPart, part: 2, .flipByte(at: 4_711)),
        Case("a bad digest", .uploadPart, part: 2, .refuse(status: 400, code: "BadDigest")),
        Case("a clock that is out", .uploadPart, part: 2, .refuse(status: 403, code: "RequestTimeTooSkewed")),
        Case("the upload is gone in mid session", .uploadPart, part: 3, .uploadVanishes),
    ]

    static let calls: [Case] = [
        Case("the key's object cannot be looked up", .headObject, times: 5, slowDown),
        Case("looking up is never answered", .headObject, .deafness),
        Case("beginning fails", .createUpload, slowDown),
        Case("the list of parts lacks one", .listParts, .hideParts([2])),
        Case("the list of parts lacks all", .listParts, times: 2, .hideParts([1, 2, 3, 4, 5])),
        Case("the list of parts breaks off", .listParts, .truncate(afterBytes: 100)),
        Case("the list of parts is empty bytes", .listParts, .emptyAnswer),
        Case("the list of parts fails", .listParts, times: 6, away),
    ]

    static let completions: [Case] = [
        Case("200, spaces, error", .completeUpload, .errorInside(code: "InternalError")),
        Case("200, spaces, slow down", .completeUpload, .errorInside(code: "SlowDown")),
        Case("200 and spaces for a while", .completeUpload, .spacesFirst(count: 30, every: .milliseconds(10))),
        Case("200 that breaks off", .completeUpload, .truncate(afterBytes: 80)),
        Case("200 without a body", .completeUpload, .emptyAnswer),
        Case("the answer is lost", .completeUpload, .loseAnswer),
        Case("the answer is lost twice", .completeUpload, times: 2, .loseAnswer),
        Case("the request is lost", .completeUpload, .loseRequest),
        Case("minutes of silence, and it is done", .completeUpload, .silence),
        Case("minutes of silence, and it is not", .completeUpload, .deafness),
        Case("500", .completeUpload, times: 2, away),
        Case("503", .completeUpload, times: 5, slowDown),
        Case("no such upload, and no object", .completeUpload, .uploadVanishes),
        Case(
            "a conflict: completed once more", .completeUpload, .refuse(status: 409, code: "ConditionalRequestConflict")
        ),
    ]

    /// Three kinds of stores. AWS still knows an upload after its completion. MinIO forgets it. The generic store
    /// forgets it too, and also gives no evidence of the content.
    private static let kinds = [S3Rules.aws, .minio, .generic]

    private static func courses(_ faults: [Case], _ kinds: [S3Rules]) -> [(fault: Case, rules: S3Rules)] {
        faults.enumerated().flatMap { index, fault in
            // The generic store neither refuses changed bytes nor returns an MD5 as ETag, so a changed byte stays
            // undetected: only TLS protects the bytes. The gateway warns of this at its start, which another test
            // covers.
            let kinds = fault.isFlip ? kinds.filter { $0.name != S3Rules.generic.name } : kinds
            return areLongTestsWanted ? kinds.map { (fault, $0) } : [(fault, kinds[index % kinds.count])]
        }
    }

    private static let courses = courses(parts + calls + completions, kinds)

    @Test(arguments: zip(courses.map(\.fault), courses.map(\.rules)))
    func theObjectIsTheFile(fault: Case, rules: S3Rules) async throws {
        try await Relay.with(rules, store: fault.patience) { relay in
            relay.s3.inject(fault.fault, into: fault.operation, part: fault.part, times: fault.times)
            try await relay.pushAndExpect(parts: 5)
        }
    }

    /// The gateway does not know the upload that the store has created, so only a later cleaning removes it.
    @Test(arguments: [S3Fault.loseAnswer, .truncate(afterBytes: 60), .emptyAnswer, .silence, away])
    func aLostAnswerToCreateIsCleanedUp(fault: S3Fault) async throws {
        try await Relay.with(.minio, store: Case("Create", .createUpload, fault).patience) { relay in
            relay.s3.inject(fault, into: .createUpload)
            let file = try relay.site.makeFile(Relay.key, bytes: 5 * relay.partBytes)
            #expect(try await relay.makeAgent().push(file, key: Relay.key).failures == [])
            try relay.expectObject(file)
            let begun = relay.s3.uploads.count
            try await relay.expectUnfinished(begun + 1)
            #expect(relay.s3.count(.createUpload) == 2)
            relay.s3.advanceClock(by: .seconds(7_200))
            try await relay.clean(olderThan: .seconds(3_600))
            try await relay.expectUnfinished(0)
        }
    }

    private static let ofSmallFiles = courses(
        [
            Case("500", .putObject, away), Case("503", .putObject, times: 5, slowDown),
            Case("the answer is lost", .putObject, .loseAnswer), Case("the request is lost", .putObject, .loseRequest),
            Case("never answered", .putObject, .silence), Case("never taken", .putObject, .deafness),
            Case("a reset", .putObject, .reset(afterBytes: 10)),
            Case("a byte that arrives as another", .putObject, .flipByte(at: 5)),
            Case("a bad digest", .putObject, .refuse(status: 400, code: "XAmzContentSHA256Mismatch")),
        ], [.aws, .minio, .gcs, .generic])

    @Test(arguments: zip(ofSmallFiles.map(\.fault), ofSmallFiles.map(\.rules)))
    func aSmallFileArrives(fault: Case, rules: S3Rules) async throws {
        try await Relay.with(rules, store: fault.patience) { relay in
            relay.s3.inject(fault.fault, into: fault.operation, times: fault.times)
            try await relay.pushAndExpect(parts: 0)
        }
    }

    /// The store checks no digest. The gateway finds the changed byte because the MD5 in the store's answer differs.
    @Test func aChangedByteIsFoundByItsETag() async throws {
        try await Relay.with(.gcs) { relay in
            relay.s3.inject(.flipByte(at: 99), into: .uploadPart, part: 2, times: 2)
            try await relay.pushAndExpect(parts: 4)
            #expect(relay.s3.calls.count { $0.operation == .uploadPart && $0.number == 2 && !$0.isProbe } == 3)
        }
    }

    @Test(arguments: [S3Rules.aws, .minio, .generic])
    func foreignObjectIsNotMistakenForTheFile(rules: S3Rules) async throws {
        try await Relay.with(rules) { relay in
            let bytes = 5 * relay.partBytes
            let file = try relay.site.makeFile(Relay.key, bytes: bytes)
            // The object of the other writer appears at the moment in which the gateway's request is lost.
            relay.s3.inject(.foreignObject([UInt8](repeating: 7, count: bytes)), into: .completeUpload)
            let failures = try await relay.makeAgent().push(file, key: Relay.key).failures
            #expect(failures.map(\.failure.kind) == [.keyTaken], "\(failures)")
            let object = try #require(relay.s3.object(Relay.key))
            #expect(object.readableBytesView.allSatisfy { $0 == 7 })
            try await relay.expectUnfinished(0)
        }
    }

    /// After the second loss of the session the upload fails, instead of beginning again forever.
    @Test func storeThatLosesEverythingIsReported() async throws {
        try await Relay.with(.aws) { relay in
            relay.s3.inject(.uploadVanishes, into: .uploadPart, part: 3, times: 10)
            let file = try relay.site.makeFile(Relay.key, bytes: 5 * relay.partBytes)
            let summary = try await relay.makeAgent().push(file, key: Relay.key)
            #expect(summary.failures.map(\.failure.kind) == [.sessionLost])
            #expect(relay.s3.object(Relay.key) == nil)
        }
    }

    @Test func listsWithoutQuotesAreTheSameETags() async throws {
        var rules = S3Rules.minio
        rules.listsBareETags = true
        try await Relay.with(rules) { relay in
            let summary = try await relay.pushAndExpect(parts: 5)
            #expect(summary.bytesSent == UInt64(5 * relay.partBytes + 17))
        }
    }

    /// A page of ListParts has at most 1,000 parts.
    @Test func completesMoreThanAThousandParts() async throws {
        try await Relay.with(.aws, partBytesMin: 1_024) { relay in
            // If the listing lost parts between its pages, the agent would send them twice.
            let summary = try await relay.pushAndExpect(parts: 1_003) { $0.limits.concurrency = 16 }
            #expect(summary.bytesSent == UInt64(1_003 * relay.partBytes + 17))
            #expect(relay.s3.count(.listParts) == 2)
        }
    }
}
