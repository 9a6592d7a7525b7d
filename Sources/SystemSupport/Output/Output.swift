#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The outputs of the process. All text that the programs print goes through here.
package enum Output {
    /// Standard output: the results of a command.
    package static let results = OutputWriter(descriptor: STDOUT_FILENO)
    /// Standard error: failures, advice and the log.
    package static let notices = OutputWriter(
        descriptor: STDERR_FILENO, patience: Output.patience, bytesMax: 1 << 20)

    /// How long a program that does more than print waits for a reader that reads nothing.
    private static let patience = Duration.seconds(5)

    /// Makes standard output never hold up the program. Commands that do more than print call this.
    package static func doNotWaitForReader() { results.limitPatience(to: patience) }

    /// Prints a failure or advice on standard error. First waits until standard output has taken all earlier text, so
    /// that a terminal shows both in order. If standard output takes nothing for a second, does not wait longer.
    package static func advise(_ text: String) {
        results.drain(stalledAtMost: .seconds(1))
        notices.line(text)
    }

    /// Like `advise`, but also waits until standard error has taken the text. So text for standard output that follows
    /// stands behind it on a terminal. Waits at most two seconds for readers that read nothing.
    package static func tell(_ text: String) {
        advise(text)
        notices.drain(stalledAtMost: .seconds(1))
    }

    /// Like `advise`, for a text of several lines.
    package static func advise(lines text: String) {
        results.drain(stalledAtMost: .seconds(1))
        notices.lines(text)
    }

    /// Writes the text that still waits, and ends the process.
    ///
    /// - Parameters:
    ///   - code: the exit code. If it is 0 and a result could not be written, the process exits with 74 instead.
    ///   - program: the program's name, for the message about results that could not be written.
    package static func endProcess(_ code: Int32, program: String) -> Never {
        results.finish()
        let ending = OutputEnding(code: code, loss: results.loss)
        if let sentence = ending.sentence { notices.line("\(program): \(sentence)") }
        notices.finish()
        exit(ending.code)
    }
}

/// How a process ends, with regard to results that it could not print.
package struct OutputEnding: Equatable {
    /// The exit code: 74 instead of 0 if a result was lost. A code for a failure stays, because it says more.
    package let code: Int32
    /// The message for the user; `nil` if no result was lost, or if the reader has closed the pipe, as `head` does when
    /// it has read enough.
    package let sentence: String?

    /// - Parameter loss: why results were lost; `nil` if none were lost.
    package init(code: Int32, loss: OutputQueue.Loss?) {
        self.code = code == 0 && loss != nil ? ProgramExit.outputLost.rawValue : code
        switch loss {
        case nil, .failed(EPIPE): sentence = nil
        case .failed(let number):
            sentence = "standard output could not be written: \(String(cString: strerror(number)))."
        case .stalled: sentence = "standard output was not read, so a part of it is lost."
        }
    }
}
