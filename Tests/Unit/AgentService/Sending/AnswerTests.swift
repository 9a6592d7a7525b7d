import AgentKit
import AgentService
import FolderCore
import Testing
import TransferCore

/// Tests of what the outcome of a question means for the machine.
@Suite struct AnswerTests {
    @Test(arguments: [UploadFailure.Kind.missing, .unreadable, .changed])
    func failureOfOneFileDoesNotCloseTheGate(kind: UploadFailure.Kind) {
        #expect(ProveAnswer(.failed(UploadFailure(kind)), store: nil) == .unknown)
    }

    @Test func failureOfTheGatewayClosesTheGate() {
        #expect(ProveAnswer(.failed(UploadFailure(.unreachable)), store: nil) == .failed(.network))
        #expect(ProveAnswer(.failed(UploadFailure(.fenced)), store: nil) == .failed(.fenced))
    }
}
