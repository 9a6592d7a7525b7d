import AgentKit
import CommandSupport
import Foundation
import InterfaceSupport
import Synchronization
import Testing
import TransferCommon
import TransferCore
import WireProtocol
import sluice_agent

/// Tests of the events that push, resume and abort print with `--json`.
@Suite struct ProgressJSONTests {
    private static func lines(all: Bool = false, _ body: (ProgressJSON) throws -> Void) rethrows -> [String] {
        let text = Mutex("")
        try body(
            ProgressJSON(printsAll: all, reader: { .idle }, notices: { _ in }) { piece in text.withLock { $0 += piece }
            })
        return text.withLock { $0 }.split(separator: "\n").map(String.init)
    }

    private static let site = DeviceSite(store: SHA256Digest.zero, device: "cam", prefix: "cam/")
    private static let start = ContinuousClock.now

    private static func figures(_ stored: UInt64) -> UploadProgress {
        UploadProgress(size: 1_000, storedBytes: stored, bytesSent: stored, bytesResumed: 0)
    }

    private static func value(_ name: String, of line: String?) throws -> Any? {
        let object = try JSONSerialization.jsonObject(with: Data((line ?? "").utf8)) as? [String: Any]
        return try #require(object)[name]
    }

    /// No upload has the number that the user gave, so there is no key to name.
    @Test func failureWithoutFileHasNoKey() throws {
        let failure = UploadFailure(.missing, "there is no unfinished upload 9; sluice-agent status lists them")
        let lines = Self.lines { json in
            json.observe(.site(Self.site))
            json.observe(.finished(path: "", key: "", .failed(failure), Self.figures(0)))
        }
        #expect(try Self.value("message", of: lines.last) as? String == failure.message)
        #expect(try Self.value("key", of: lines.last) == nil)
        #expect(try Self.value("relative_key", of: lines.last) == nil)
    }

    private static var receipt: UploadReceipt {
        var receipt = UploadReceipt(
            size: 1_000, partBytes: 500, root: .zero, evidence: .wholeDigest(.zero), etag: "e", version: "v")
        receipt.isUnchanged = true
        receipt.signed = .missing
        return receipt
    }

    /// Prints each kind of object, with as many fields as it can have.
    private static func printAll(_ json: ProgressJSON) throws {
        let number = try #require(PartNumber(1))
        json.observe(.finished(path: "early", key: "early", .failed(UploadFailure(.missing)), figures(0)))
        json.observe(.site(site))
        for milliseconds in [0, 1_000, 2_000] {
            let now = start + .milliseconds(milliseconds)
            json.observe(.part(key: "k", number: number, sent: 500, size: 500, isStored: true), at: now)
            json.observe(.file(key: "k", figures(500)), at: now + .milliseconds(250))
        }
        json.observe(.note(key: "k", "a note"))
        json.observe(.finished(path: "p", key: "k", .stored(receipt, wasThere: false), figures(500)))
        json.observe(.finished(path: "p", key: "k", .stored(receipt, wasThere: true), figures(500)))
        json.observe(.finished(path: "p", key: "k", .dropped, figures(0)))
        var failure = UploadFailure(.unreadable, "its name is not UTF-8")
        failure.pathBytes = [0x2F, 0xFF]
        json.observe(.finished(path: "/\\xff", key: "", .failed(failure), figures(0)))
        var summary = RunSummary()
        summary.files = 2
        summary.seconds = 1.5
        summary.withoutReceipt = 1
        summary.notBegun = NotBegun(count: 3, mayBeMore: true)
        summary.ending = UploadFailure(.unreachable)
        summary.specialFiles.add(.pipe, path: "/pipe")
        summary.specialFiles.add(.socket, path: "/\\xff", bytes: [0x2F, 0xFF])
        json.conclude(summary)
    }

    @Test func eachObjectIsAsDeclared() throws {
        let lines = try Self.lines { try Self.printAll($0) }
        #expect(AgentInterface.program.problems(in: lines, of: "push") == [])
        let declared = Set(AgentInterface.program.objects(of: "push").map(\.event))
        #expect(Set(ProgramInterface.events(of: lines)) == declared)
        // Together the lines have every field that is declared.
        var missing = Set(
            AgentInterface.program.objects(of: "push").flatMap { object in
                object.fields.map { "\(object.event) \($0.name)" }
            })
        for line in lines {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            for name in object.keys { missing.remove("\(object["event"] ?? "") \(name)") }
        }
        #expect(missing == [])
    }

    @Test func progressIsPacedAndResultsAreNot() throws {
        let lines = try Self.lines { json in
            let number = try #require(PartNumber(1))
            for milliseconds in 0..<2_000 {
                let now = Self.start + .milliseconds(milliseconds)
                json.observe(.part(key: "k", number: number, sent: 1, size: 500, isStored: false), at: now)
                json.observe(.file(key: "k", Self.figures(1)), at: now)
                json.observe(.finished(path: "p", key: "k", .dropped, Self.figures(1)), at: now)
            }
            json.conclude(RunSummary())
        }
        #expect(lines.count { $0.contains("\"event\":\"finished\"") } == 2_000)
        #expect(lines.count { $0.contains("\"event\":\"part\"") } == 4)
        #expect(lines.count { $0.contains("\"event\":\"file\"") } == 4)
        #expect(lines.last?.contains("\"event\":\"summary\"") == true)
    }

    @Test func verboseHasAllProgress() throws {
        let lines = try Self.lines(all: true) { json in
            let number = try #require(PartNumber(1))
            for _ in 0..<100 {
                json.observe(.part(key: "k", number: number, sent: 1, size: 500, isStored: false), at: Self.start)
            }
        }
        #expect(lines.count == 100)
    }

    @Test func keysHaveThePrefixOfTheDevice() throws {
        let lines = Self.lines { json in
            json.observe(.note(key: "k", "early"))
            json.observe(.site(Self.site))
            json.observe(.note(key: "k", "late"))
            json.observe(.site(DeviceSite(store: SHA256Digest.zero, device: "cam", prefix: "")))
            json.observe(.note(key: "k", "free"))
        }
        #expect(try lines.map { try Self.value("key", of: $0) as? String } == [nil, "cam/k", "k"])
        #expect(try lines.map { try Self.value("relative_key", of: $0) as? String } == ["k", "k", "k"])
    }

    @Test func namesThatAreNotUTF8HaveTheirBytes() throws {
        let lines = Self.lines { json in
            var failure = UploadFailure(.unreadable, "its name is not UTF-8")
            failure.pathBytes = [0x2F, 0xFF, 0x0A]
            json.observe(.finished(path: "/\\xff\\x0a", key: "", .failed(failure), Self.figures(0)))
        }
        let bytes = try #require(try Self.value("path_bytes", of: lines.first) as? String)
        #expect(Data(base64Encoded: bytes) == Data([0x2F, 0xFF, 0x0A]))
        #expect(try Self.value("path", of: lines.first) as? String == "/\\xff\\x0a")
    }

    /// A million files that fail need no memory of their own.
    @Test func summaryCountsFailuresBeyondItsList() throws {
        var summary = RunSummary()
        for number in 0..<RunSummary.failuresMax + 5 {
            summary.add(.failed(UploadFailure(.keyTaken)), Self.figures(0), path: "\(number)", key: "k")
        }
        summary.add(.failed(UploadFailure(.stopped)), Self.figures(0), path: "last", key: "k")
        #expect(summary.failures.count == RunSummary.failuresMax)
        #expect(summary.failed == RunSummary.failuresMax + 6 && summary.isInterrupted && summary.exitCode == 75)
        let lines = Self.lines { $0.conclude(summary) }
        #expect(try Self.value("failed", of: lines.first) as? Int == RunSummary.failuresMax + 5)
        #expect(try Self.value("stopped", of: lines.first) as? Int == 1)
    }
}
