import AgentKit
import Testing
import TransferCore
import WireProtocol

/// Tests of the agent's exit code for each error code of a gateway.
@Suite struct ExitCodeTests {
    /// The column *agent* of the table of codes (specification §12) names the exit code or says that the agent retries.
    /// If the agent retries, the test expects the exit code with which the agent gives up in the end.
    @Test(arguments: FailureRule.all) func exitCodesMatchSpecification(rule: FailureRule) {
        let told = rule.exitCode ?? rule.reaction.exitCodeInTheEnd ?? UploadFailure.Kind.unreachable.exitCode
        for scope in rule.scopes {
            let failure =
                scope == .connection
                ? UploadFailure(ofConnection: rule.code, message: "") : UploadFailure(rule.code, message: "")
            #expect(failure.kind.exitCode == told, "\(rule.name) in scope \(scope)")
            #expect(NextStep.allCases.allSatisfy { !failure.sentence($0).isEmpty })
        }
    }

    /// A newer gateway may send codes that the agent does not know. The agent then retries the uploads that the code is
    /// about.
    @Test func unknownCodeIsNotAViolation() {
        let code = ErrorCode(rawValue: 0x0777)
        #expect(UploadFailure(code, message: "").kind == .gatewayFailed)
        #expect(UploadFailure(ofConnection: code, message: "").kind == .gatewayFailed)
        #expect(UploadFailure(code, message: "").sentence(.push).contains("code 0x0777"))
    }
}
