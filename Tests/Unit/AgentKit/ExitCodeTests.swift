import AgentKit
import Testing
import TransferCore
import WireProtocol

/// What a gateway's code comes to at the end of the program.
@Suite struct ExitCodeTests {
    /// The column *agent* of specification §12 names it: at the code itself, or at the word for what is tried again.
    @Test(arguments: FailureRule.all) func theExitCodeIsThatOfTheSpecification(rule: FailureRule) {
        let told = rule.exitCode ?? rule.reaction.exitCodeInTheEnd ?? UploadFailure.Kind.unreachable.exitCode
        for scope in rule.scopes {
            let failure =
                scope == .connection
                ? UploadFailure(ofConnection: rule.code, message: "") : UploadFailure(rule.code, message: "")
            #expect(failure.kind.exitCode == told, "\(rule.name) in scope \(scope)")
            #expect(!failure.sentence.isEmpty)
        }
    }

    /// A later gateway may have codes that this agent does not know: what they are about is tried again.
    @Test func anUnknownCodeIsNoBrokenProtocol() {
        let code = ErrorCode(rawValue: 0x0777)
        #expect(UploadFailure(code, message: "").kind == .gatewayFailed)
        #expect(UploadFailure(ofConnection: code, message: "").kind == .gatewayFailed)
        #expect(UploadFailure(code, message: "").sentence.contains("code 0x0777"))
    }
}
