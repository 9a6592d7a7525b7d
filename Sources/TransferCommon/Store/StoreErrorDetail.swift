/// The cause of a `StoreError` that says which call failed, and what the store or the network answered.
package protocol StoreErrorDetail: Error {
    /// One line, such as `UploadPart: 400 InvalidArgument: Part number must be an integer between 1 and 1000`. It has
    /// at most `StoreError.detailBytesMax` bytes, no secrets and only visible characters, so it may be logged and
    /// shown to operators and devices.
    var detail: String { get }
}

extension StoreError {
    /// Maximum length of `detail` in bytes. The message that a device receives may have 512 bytes.
    package static let detailBytesMax = 300

    /// The failed call and the answer to it; `nil` if no call to a server is behind this error.
    package var detail: String? {
        var next = cause
        while let error = next {
            if let error = error as? any StoreErrorDetail { return error.detail }
            next = (error as? StoreError)?.cause
        }
        return nil
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
