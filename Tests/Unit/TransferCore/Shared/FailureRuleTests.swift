import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// The table of codes in the source equals the table in the specification (§12).
@Suite struct FailureRuleTests {
    @Test func rulesMatchTheSpecification() throws {
        let table = try SourceText.specificationTable(["code", "name", "scope"], under: "## 12. Codes")
        #expect(table.header == ["code", "name", "scope", "meaning", "agent"])
        let written = table.rows.map { row in [row[0], row[1], row[2], row[4]] }
        let ruled = FailureRule.all.map { rule in
            [
                "0x" + Self.hexadecimal(rule.code.rawValue), rule.name,
                FailureRule.Scope.allCases.filter(rule.scopes.contains).map(\.rawValue).joined(separator: ", "),
                rule.reaction.rawValue + (rule.exitCode.map { " (exit \($0))" } ?? ""),
            ]
        }
        #expect(written == ruled)
    }

    /// In the table of codes, the column *agent* has a word for the agent's reaction. The specification explains each
    /// of these words once. If a reaction ends the process, the explanation also names the exit code.
    @Test func reactionsMatchTheSpecification() throws {
        let table = try SourceText.specificationTable(["word"], under: "## 12. Codes")
        #expect(table.rows.map { $0[0] } == FailureRule.Reaction.allCases.map(\.rawValue))
        for (row, reaction) in zip(table.rows, FailureRule.Reaction.allCases) {
            let told = reaction.exitCodeInTheEnd.map { "(exit \($0))" } ?? "(exit"
            #expect(row[1].contains(told) == (reaction.exitCodeInTheEnd != nil), "\(reaction)")
        }
    }

    @Test func namesMatchTheCodes() {
        for rule in FailureRule.all where !rule.code.name.hasPrefix("code ") {
            #expect(rule.code.name == rule.name)
        }
        #expect(Set(FailureRule.all.map(\.code)).count == FailureRule.all.count)
    }

    @Test func unknownCodesAreTreatedByTheirScope() {
        let unknown = ErrorCode(rawValue: 0x0777)
        #expect(FailureRule.reaction(to: unknown, in: .connection) == .reconnect)
        #expect(FailureRule.reaction(to: unknown, in: .session) == .tryAgain)
        #expect(FailureRule.reaction(to: unknown, in: .part) == .tryAgain)
        #expect(!FailureRule.allows(unknown, in: .session))
    }

    private static func hexadecimal(_ number: UInt16) -> String {
        let digits = String(number, radix: 16, uppercase: true)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}
