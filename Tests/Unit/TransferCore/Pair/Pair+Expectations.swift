import Testing
import TransferCore
import TransferCoreSupport

extension Pair {
    /// Runs to the end, checks that the object equals the file, and checks the invariants after everything is idle.
    func expectStored(
        _ upload: UploadID, _ comment: @autoclosure () -> Comment? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        run()
        checkStored(upload)
        rest()
        #expect(violations == [], comment(), sourceLocation: sourceLocation)
    }

    /// Runs to the end, expects the upload to fail, and checks the invariants after everything is idle.
    ///
    /// - Returns: the failure; `nil`, after recording an issue, if the upload did not fail.
    func expectFailed(_ upload: UploadID, sourceLocation: SourceLocation = #_sourceLocation) -> UploadFailure? {
        run()
        guard case .failed(let failure) = agent.outcomes[upload] else {
            Issue.record("\(String(describing: agent.outcomes[upload]))", sourceLocation: sourceLocation)
            return nil
        }
        rest()
        #expect(violations == [], sourceLocation: sourceLocation)
        return failure
    }
}
