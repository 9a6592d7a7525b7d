import Testing
import TransferCore
import TransferCoreSupport

extension Pair {
    /// Runs to the end: the object is the file, and nothing is wrong once everything has come to rest.
    func expectStored(
        _ upload: UploadID, _ comment: @autoclosure () -> Comment? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        run()
        checkStored(upload)
        rest()
        #expect(violations == [], comment(), sourceLocation: sourceLocation)
    }

    /// Runs to the end and comes to rest with nothing wrong, though the upload has failed.
    ///
    /// - Returns: why; `nil`, and an issue, where it has not.
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
