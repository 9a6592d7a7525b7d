package import SystemSupport

/// The error if a key ring cannot be read, made, rotated or written. No case contains any part of a key except its id.
package enum KeyRingError: Error, Hashable {
    case file(FileError)
    /// A line of the file is neither empty, nor a comment, nor `id state key`.
    /// - Parameter number: number of the line, counted from 1.
    case malformedLine(number: Int)
    case duplicateKey(KeyRing.KeyID)
    case noSealingKey
    case tooManyKeys(keysMax: Int)
    case cryptography(CryptographyError)
}

extension KeyRingError: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String {
        switch self {
        case .file(let error):
            error.description
        case .malformedLine(let number):
            "Line \(number) of the key ring is not an id, a state and a key."
        case .duplicateKey(let id):
            "The key ring holds key \(id) twice. Copy the ring anew from another gateway of the site."
        case .noSealingKey:
            "The key ring holds no key that seals."
        case .tooManyKeys(let keysMax):
            "The key ring would hold more than \(keysMax) keys. Remove the lines of the oldest retired ones."
        case .cryptography(let error):
            error.description
        }
    }

    /// The text of `description`, with the complete path of the file.
    package var debugDescription: String {
        if case .file(let error) = self { error.debugDescription } else { description }
    }
}
