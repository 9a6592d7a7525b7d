package import TransferCommon

extension StoreError {
    /// The error of a call for which the cryptographic library computed no digest or no signature. The call may succeed
    /// later.
    ///
    /// - Parameter cause: the library's error.
    package static func cryptographyFailed(_ cause: any Error) -> StoreError {
        StoreError(.unavailable, "The cryptographic library failed.", cause: cause)
    }
}
