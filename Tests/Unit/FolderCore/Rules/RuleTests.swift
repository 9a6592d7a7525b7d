import FolderCore
import Testing
import TransferCommon

@Suite struct RuleTests {
    private static func key(_ pattern: String, _ path: String, at seconds: Int64 = 0) throws -> String {
        try KeyTemplate(pattern).key(
            of: ItemPath(path), modified: ModificationTime(seconds: seconds, nanoseconds: 0), device: "robot"
        ).text
    }

    @Test func keysHaveTheirFields() throws {
        #expect(try Self.key("{relative}", "d/a.b.c") == "d/a.b.c")
        #expect(try Self.key("{device}/{name}", "d/a.b.c") == "robot/a.b.c")
        #expect(try Self.key("{stem}-{ext}", "d/a.b.c") == "a.b-c")
        #expect(try Self.key("x{stem}-{ext}", ".hidden") == "x.hidden-")
        // 2024-02-29 23:59:59 UTC
        #expect(try Self.key("{yyyy}/{mm}/{dd}/{HH}", "a", at: 1_709_251_199) == "2024/02/29/23")
        #expect(try Self.key("{yyyy}-{mm}-{dd}T{HH}", "a", at: -1) == "1969-12-31T23")
        _ = try Self.key("{yyyy}", "a", at: .max)
        _ = try Self.key("{yyyy}", "a", at: .min)
    }

    @Test(arguments: ["", "{nome}", "{name", "name}"])
    func wrongPatternsAreRefused(_ pattern: String) {
        #expect(throws: KeyTemplate.Refusal.self) { try KeyTemplate(pattern) }
    }

    @Test(arguments: ["a\\b", "../a", ".sluice/a", "a\u{1}"])
    func keysThatTheGatewayRefusesAreRefusedHere(_ path: String) {
        #expect(throws: KeyTemplate.Refusal.self) { try Self.key("{relative}", path) }
    }

    @Test func numbersStandBeforeTheExtension() {
        #expect(ItemPath("d.e/a.bin").numbered(2) == ItemPath("d.e/a~2.bin"))
        #expect(ItemPath("d.e/a").numbered(3) == ItemPath("d.e/a~3"))
        #expect(ItemPath("d/.a").numbered(2) == ItemPath("d/.a~2"))
    }

    @Test func hiddenNamesAreKnown() {
        let aside = ItemPath("d/a").aside(0x1F)
        #expect(aside == ItemPath("d/.sluice-000000000000001f") && aside.isAside)
        for path in ["d/.sluice-000000000000001", "d/.sluice-000000000000001g", "sluice-000000000000001f"] {
            #expect(!ItemPath(path).isAside)
        }
    }

    @Test func patternsMatchWholeNames() {
        let cases: [(String, String, Bool)] = [
            ("*.event", "a.event", true), ("*.event", "a.event2", false), ("a?c", "abc", true), ("a?c", "ac", false),
            ("*", "", true), ("a*b*c", "a-b-b-c", true), ("a*b*c", "a-b-b-d", false),
        ]
        for (pattern, name, isMatch) in cases {
            #expect(NamePattern(pattern).matches(Array(name.utf8)[...]) == isMatch, "\(pattern) \(name)")
        }
    }

    @Test func failuresWaitLongerAndEndInQuarantine() {
        #expect(RetryRule.verdict(failures: 1, limit: 3) == .tryAgain(after: .seconds(10)))
        #expect(RetryRule.verdict(failures: 2, limit: 3) == .tryAgain(after: .seconds(20)))
        #expect(RetryRule.verdict(failures: 3, limit: 3) == .quarantine)
        #expect(RetryRule.verdict(failures: 200, limit: 255) == .tryAgain(after: .seconds(600)))
        #expect(RetryRule.verdict(failures: 1, limit: 0) == .quarantine)
    }

    @Test func onlyOldStampsOfStampingFileSystemsCount() {
        let stamp = FolderDriver.stamp(5, at: 100)
        func counts(_ kind: FileSystemKind, _ seconds: Int64?) -> Bool {
            Capture.counts(stamp, kind, systemTime: seconds.map { ModificationTime(seconds: $0, nanoseconds: 0) })
        }
        #expect(counts(.stamping, 102) && !counts(.stamping, 101) && !counts(.stamping, nil))
        #expect(!counts(.local, 200) && !counts(.shared, 200))
    }
}
