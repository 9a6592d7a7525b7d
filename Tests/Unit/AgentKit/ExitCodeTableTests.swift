import AgentKit
import Foundation
import Testing
import TransferCore

/// Compares the tables of exit codes in `Documentation/agent.md` with the code.
@Suite struct ExitCodeTableTests {
    private static func page() throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "Documentation/agent.md"), encoding: .utf8)
    }

    /// The rows of the table under a heading, as their cells.
    private static func rows(headed heading: String) throws -> [[String]] {
        let lines = try page().components(separatedBy: "\n")
        let start = try #require(lines.firstIndex(of: heading))
        return lines.dropFirst(start + 2).prefix { $0.hasPrefix("|") }.map { line in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    @Test func everyOutcomeHasTheExitCodeOfTheTable() throws {
        var codes: [String: Int32] = [:]
        for row in try Self.rows(headed: "| exit code | outcomes |") {
            try #require(row.count == 2)
            let code = try #require(Int32(row[0]))
            for word in row[1].components(separatedBy: ", ") { codes[word.trimmingCharacters(in: ["`"])] = code }
        }
        for kind in UploadFailure.Kind.allCases {
            #expect(codes.removeValue(forKey: kind.rawValue) == kind.exitCode, "\(kind)")
        }
        #expect(codes.isEmpty, "the table has outcomes that do not exist: \(codes.keys)")
    }

    @Test func everyExitCodeHasAMeaning() throws {
        let told = Set(try Self.rows(headed: "| exit code | meaning |").compactMap { $0.first.flatMap { Int32($0) } })
        #expect(told == Set(UploadFailure.Kind.allCases.map(\.exitCode)).union([0]))
    }

    /// Files without read permission end a run with 66 if all files are such, and with 1 beside stored files.
    @Test(arguments: UploadFailure.Kind.allCases)
    func codesOfInputCountOnlyForTheWholeInput(kind: UploadFailure.Kind) {
        var summary = RunSummary()
        summary.files = 1
        summary.failures = [.init(path: "p", key: "k", failure: UploadFailure(kind))]
        #expect(summary.exitCode == kind.exitCode)
        summary.files = 2
        #expect(summary.exitCode == ((64...66).contains(kind.exitCode) ? 1 : kind.exitCode))
    }
}
