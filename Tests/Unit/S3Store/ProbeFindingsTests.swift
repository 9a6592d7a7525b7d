import ObjectStore
import S3Store
import Testing
import TransferCommon

@Suite struct ProbeFindingsTests {
    private typealias Step = ProbeFindings.Step

    private static let needed: [ProbeFindings.Step] = [
        .createUpload, .uploadPart, .listParts, .abortUpload, .listObjects, .putObject, .headObject,
    ]

    @Test func storeWithoutRefusalsIsAccepted() {
        let findings = ProbeFindings(table: .generic)
        #expect(findings.objection == nil && findings.warnings.isEmpty)
    }

    /// The message names the call that the store refuses. If the store denies the gateway access, it also names the
    /// missing right.
    @Test(arguments: needed)
    func neededStepPreventsTheStart(step: ProbeFindings.Step) throws {
        var findings = ProbeFindings(table: .generic)
        findings.refused[step] = StoreError(.denied)
        let denied = try #require(findings.objection)
        #expect(denied.reason == .denied)
        #expect(denied.sentence.contains(step.rawValue) && denied.sentence.contains(step.right))
        findings.refused[step] = StoreError(.unsupported, "No such call.")
        let unsupported = try #require(findings.objection)
        #expect(unsupported.reason == .unsupported)
        #expect(unsupported.sentence.contains(step.rawValue) && unsupported.sentence.contains("No such call."))
    }

    @Test(arguments: [Step.listUploads, .deleteObject])
    func otherStepIsAWarning(step: ProbeFindings.Step) throws {
        var findings = ProbeFindings(table: .generic)
        findings.refused[step] = StoreError(.denied)
        #expect(findings.objection == nil)
        let warning = try #require(findings.warnings.first)
        #expect(warning.contains(step.right) && findings.warnings.count == 1)
    }

    @Test(arguments: [Step.listUploads, .wrongDigest, .completeCondition, .putCondition, .deleteCondition])
    func unansweredStepIsAWarning(step: ProbeFindings.Step) throws {
        var findings = ProbeFindings(table: .generic)
        findings.unanswered[step] = StoreError(.unavailable)
        #expect(findings.objection == nil)
        let warning = try #require(findings.warnings.first)
        #expect(warning.contains(step.rawValue) && findings.warnings.count == 1)
    }

    @Test func versionsThatStayAreAWarning() {
        var findings = ProbeFindings(table: .generic)
        findings.keepsVersions = true
        #expect(findings.warnings.count == 1)
        findings.provider.deletesVersions = true
        #expect(findings.warnings.isEmpty)
    }

    @Test(arguments: [
        (ProbeFindings.UploadRule.unknown, S3Provider.generic, 0), (.none, .generic, 1), (.none, .minio, 0),
        (.days(1), .generic, 1), (.days(6), .generic, 1), (.days(7), .generic, 0), (.days(30), .generic, 0),
    ])
    func uploadRuleIsJudged(rule: ProbeFindings.UploadRule, table: S3Provider, warnings: Int) {
        var findings = ProbeFindings(table: table)
        findings.uploadRule = rule
        #expect(findings.warnings.count == warnings)
    }

    @Test func lowerPartLimitIsNamed() {
        var findings = ProbeFindings(table: .generic)
        findings.refusedPartNumber = 10_000
        findings.provider.partsMax = 100
        #expect(findings.warnings.contains { $0.contains("10000") && $0.contains("100 parts") })
    }
}
