import AgentKit
import Testing
import TransferCore

/// Tests of the advice that ends the message about a failure: it must name only what works.
@Suite struct NextStepTests {
    private static let none = UploadProgress(size: 10, storedBytes: 0, bytesSent: 0, bytesResumed: 0)

    private static func figures(isResumable: Bool = false, isDropping: Bool = false) -> UploadProgress {
        var figures = none
        figures.isResumable = isResumable
        figures.isDropping = isDropping
        return figures
    }

    /// Only an upload in the journal can be resumed, and only if the failure keeps its row there.
    @Test(arguments: [
        ("f", UploadFailure.Kind.unreachable, figures(isResumable: true), NextStep.pushOrResume),
        ("f", .unreachable, figures(), .push), ("f", .superseded, figures(isResumable: true), .push),
        ("-", .unreachable, figures(), .pushStream), ("-", .unreachable, figures(isResumable: true), .pushStream),
        ("f", .unreachable, figures(isResumable: true, isDropping: true), .drop),
        ("-", .unreachable, figures(isDropping: true), .drop),
    ])
    func stepFollowsFromWhatIsKept(
        path: String, kind: UploadFailure.Kind, figures: UploadProgress, step: NextStep
    ) {
        #expect(NextStep(after: UploadFailure(kind), path: path, figures) == step)
    }

    @Test(arguments: [
        (NextStep.pushOrResume, "check --gateway and the network, then push or resume again"),
        (.push, "check --gateway and the network, then push again"),
        (.pushStream, "check --gateway and the network, then push the stream again, from its beginning"),
        (.drop, "check --gateway and the network; a push or resume drops it when it reaches the gateway"),
        (.check, "check --gateway and the network, then check again"),
        (.runAgain, "check --gateway and the network, then run the command again"),
    ])
    func messageEndsWithTheStep(step: NextStep, advice: String) {
        #expect(UploadFailure(.unreachable).sentence(step) == "the gateway could not be reached; \(advice)")
    }

    /// A wrong file is the exception: its upload is in the journal, and the message names the file's new path as the
    /// user has to give it.
    @Test(arguments: UploadFailure.Kind.allCases.filter { $0 != .wrongFile })
    func resumeIsNamedOnlyWhereItWorks(kind: UploadFailure.Kind) {
        for step in [NextStep.push, .pushStream, .check, .runAgain] {
            #expect(!UploadFailure(kind).sentence(step).contains("resume"), "\(kind), \(step)")
        }
    }

    @Test func unfinishedUploadsAreCountedByWhatCanBecomeOfThem() {
        #expect(UnfinishedCounts().lines.isEmpty)
        let counts = UnfinishedCounts(resumable: 1, streams: 2, dropping: 1)
        #expect(counts.total == 4)
        #expect(
            counts.lines.map { $0.prefix { $0 != ":" } } == [
                "1 upload is unfinished and kept", "2 streams are unfinished and cannot be resumed",
                "1 upload is still to be dropped",
            ])
        #expect(!counts.lines[1].contains("sluice-agent resume"))
    }
}
