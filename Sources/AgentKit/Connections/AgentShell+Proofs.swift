import SystemSupport
import TransferCore

// Asking gateways whether the store holds a file.

extension AgentShell {
    /// A request to ask a gateway whether the store holds a file, and the open file.
    typealias Question = (request: ProofRequest, file: SourceFile)

    func prove(_ questions: [Question]) {
        for (request, file) in questions {
            sources.add(file, askedAboutAs: request.id)
            handle(.asked(request))
        }
    }

    func answered(_ id: UploadID, _ outcome: ProofOutcome) {
        guard sources.removeAsked(id) else { return }
        atTurnsEnd { $0.events.append(.answered(id, outcome)) }
    }
}
