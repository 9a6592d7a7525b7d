import AgentKit
import Foundation
import Synchronization
import Testing
import TransferCore
import sluice_agent

/// Tests of the output and the exit code of `sluice-agent check`.
@Suite struct CheckReportTests {
    private func report(_ files: [CheckedFile], json: Bool = false, notBegun: NotBegun = NotBegun()) -> (
        lines: [String], exitCode: Int32
    ) {
        let lines = Mutex([] as [String])
        let report = CheckReport(isJSON: json, isQuiet: false) { line in lines.withLock { $0.append(line) } }
        for file in files { report.observe(file) }
        report.conclude(notBegun: notBegun)
        return (lines.withLock { $0 }, report.exitCode)
    }

    private static func found(_ key: String, _ state: FileCheck.State) -> CheckedFile {
        CheckedFile(path: "/data/" + key, key: key, .found(FileCheck.Finding(state, "why")))
    }

    private static func failed(_ kind: UploadFailure.Kind) -> CheckedFile {
        CheckedFile(path: "/data/x", key: "x", .failed(UploadFailure(kind)))
    }

    @Test func theExitCodeTellsWhatIsNotProven() {
        let rows: [([CheckedFile], Int32)] = [
            ([], 66), ([Self.found("a", .proven)], 0), ([Self.found("a", .proven), Self.found("b", .changed)], 1),
            ([Self.found("a", .proven), Self.failed(.unreadable)], 66), ([Self.failed(.missing)], 66),
            ([Self.found("a", .unknown), Self.failed(.missing)], 1), ([Self.failed(.unreachable)], 75),
            ([Self.failed(.notAuthorised)], 77), ([Self.failed(.storeRefuses), Self.found("a", .proven)], 69),
            ([Self.failed(.unreachable), Self.failed(.missing)], 1), ([Self.failed(.protocolViolation)], 76),
            ([Self.failed(.stopped), Self.found("a", .changed)], 75),
        ]
        for (files, code) in rows { #expect(report(files).exitCode == code, "\(files)") }
        #expect(report([Self.found("a", .proven)], notBegun: NotBegun(count: 1)).exitCode == 75)
    }

    @Test func aLineHasTheStateTheKeyAndTheReason() {
        let files = [Self.found("a\u{1B}", .proven), Self.found("b", .notSent), Self.failed(.unreadable)]
        #expect(
            report(files).lines == [
                "proven         a\\u{1b}", "not sent       b: why", "failed         x: the file cannot be read",
                "3 files: 1 proven, 1 not sent, 1 failed",
            ])
    }

    @Test func jsonHasOneObjectPerLine() throws {
        let files = [Self.found("a", .otherStore), Self.failed(.unreadable)]
        let objects = try report(files, json: true).lines.map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
        #expect(objects.map { $0["event"] as? String } == ["checked", "checked", "summary"])
        #expect(objects[0]["state"] as? String == "other_store" && objects[0]["reason"] as? String == "why")
        #expect(objects[1]["state"] as? String == "unreadable")
        #expect(objects[2]["files"] as? Int == 2 && objects[2]["not_proven"] as? Int == 1)
        #expect(objects[2]["failed"] as? Int == 1 && objects[2]["proven"] as? Int == 0)
    }
}
