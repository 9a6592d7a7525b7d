/// The cause of a `StoreError` that says which call failed, and what the store or the network answered.
package protocol StoreErrorDetail: Error {
    /// One line, such as `UploadPart: 400 InvalidArgument: Part number must be an integer between 1 and 1000`. It has
    /// at most `StoreError.detailBytesMax` bytes, no secrets and only visible characters, so it may be logged and
    /// shown to operators and devices.
    var detail: String { get }
    /// The same facts, each by itself, for the fields of a log line. As `detail`, they contain no secrets and only
    /// visible characters.
    var facts: StoreCallFacts { get }
    /// The same error, with the number of times that the request was sent.
    func afterAttempts(_ count: Int) -> Self
}

extension StoreErrorDetail {
    package func afterAttempts(_ count: Int) -> Self { self }
}

/// What is known about a failed request to a server.
package struct StoreCallFacts: Hashable, Sendable {
    /// The call, as the documentation of the store names it, such as `UploadPart`.
    package var operation: String
    /// The HTTP status; `nil` if there was no answer.
    package var status: Int?
    /// The store's error code; empty if the answer has none.
    package var code: String
    /// The id that the store gave the request, which the store's operator finds in the store's log; empty if it gave
    /// none.
    package var requestID: String
    /// How often the request was sent.
    package var attempts: Int

    package init(operation: String, status: Int? = nil, code: String = "", requestID: String = "", attempts: Int = 1) {
        self.operation = operation
        self.status = status
        self.code = code
        self.requestID = requestID
        self.attempts = attempts
    }
}

extension StoreError {
    /// Maximum length of `detail` in bytes. The message that a device receives may have 512 bytes.
    package static let detailBytesMax = 300

    /// The failed call and the answer to it; `nil` if no call to a server is behind this error.
    package var detail: String? { call?.detail }

    /// What is known of the failed call; `nil` if no call to a server is behind this error.
    package var facts: StoreCallFacts? { call?.facts }

    private var call: (any StoreErrorDetail)? {
        var next = cause
        while let error = next {
            if let error = error as? any StoreErrorDetail { return error }
            next = (error as? StoreError)?.cause
        }
        return nil
    }

    /// The same error, with the number of times that the request was sent.
    package func afterAttempts(_ count: Int) -> StoreError {
        // A new error has this number. Each new small file comes here, because its key holds nothing.
        guard count > 1 else { return self }
        return switch cause {
        case let cause as any StoreErrorDetail: StoreError(reason, sentence, cause: cause.afterAttempts(count))
        case let cause as StoreError: StoreError(reason, sentence, cause: cause.afterAttempts(count))
        default: self
        }
    }

    /// The sentence, with `detail` in parentheses.
    package var fullSentence: String {
        guard let detail else { return sentence }
        return "\(sentenceWithoutPeriod) (\(detail))."
    }

    /// The error as the first half of a message for a device. A semicolon and advice follow.
    package var clause: String {
        guard let detail else { return String(sentenceWithoutPeriod) }
        return "\(sentenceWithoutPeriod) (\(detail))"
    }

    private var sentenceWithoutPeriod: Substring {
        sentence.hasSuffix(".") ? sentence.dropLast() : sentence[...]
    }
}

extension String {
    /// The text with visible control characters and without surrounding white space, cut after at most `bytesMax`
    /// bytes. A cut text ends with an ellipsis.
    package func visible(bytesMax: Int) -> String {
        let isSpace = { (scalar: Unicode.Scalar) in scalar.properties.isWhitespace }
        // Visible control characters are longer than the original ones, so cut the text twice: before the conversion,
        // because a server's text may be long, and after it.
        var scalars = unicodeScalars.prefix(bytesMax + 64).drop(while: isSpace)
        while let last = scalars.last, isSpace(last) { scalars.removeLast() }
        let text = String(String.UnicodeScalarView(scalars)).withVisibleControls
        guard text.utf8.count > bytesMax else { return text }
        let ellipsis = "…"
        var cut = String.UnicodeScalarView()
        var byteCount = ellipsis.utf8.count
        for scalar in text.unicodeScalars {
            byteCount += UTF8.width(scalar)
            guard byteCount <= bytesMax else { break }
            cut.append(scalar)
        }
        return String(cut) + ellipsis
    }
}
