package import TransferCommon

extension ObjectKey {
    /// Makes a key from a text that a peer or user has supplied. Throws a `StoreError` if it is not valid.
    package init(_ text: String) throws(StoreError) {
        do {
            try self.init(validating: text)
        } catch {
            throw StoreError(.keyUnsupported, error.description, cause: error)
        }
    }
}
