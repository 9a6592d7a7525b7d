import AgentService
package import SystemSupport

/// The message and the exit code of a command that gets no answer from the service.
package struct ServiceFailure: Equatable, Sendable {
    /// The exit status of the command.
    package let exitStatus: ProgramExit
    package let sentence: String

    /// - Returns: `nil` for an error that is not about the service.
    package init?(_ error: any Error) {
        switch error {
        case let error as ControlFailure: self.init(error)
        case let error as ControlRefusal: self.init(.failure, error.message)
        // The service cannot make its socket.
        case let error as LocalSocketError: self.init(.missingInput, error.description)
        default: return nil
        }
    }

    private init(_ exitStatus: ProgramExit, _ sentence: String) {
        self.exitStatus = exitStatus
        self.sentence = sentence
    }

    private init(_ failure: ControlFailure) {
        switch failure {
        case .noService:
            self.init(.storeRefuses, "no service runs in this home; start one with sluice-agent run")
        case .forbidden:
            self.init(.missingInput, "this user may not ask the service; run this as the user who made the home")
        case .refused(let problem): self.init(.failure, problem)
        case .interrupted(let problem): self.init(.tryAgain, "\(problem); its log says why, then try again")
        case .otherVersion(let problem):
            self.init(
                .protocolMismatch,
                "the service is of another version than this command (\(problem)); restart the service")
        case .socket(let problem): self.init(.missingInput, problem)
        }
    }
}
