import COpenSSL
package import Foundation
package import TransferCommon

/// SHA-256 of a file, read piece by piece.
///
/// Calls OpenSSL directly and not the tested code. Otherwise a bug of that code could produce the same wrong digest
/// here.
package func fileDigest(_ url: URL) throws -> SHA256Digest {
    let file = try FileHandle(forReadingFrom: url)
    defer {
        // The file is only read, so closing it cannot lose data.
        try? file.close()
    }
    guard let context = EVP_MD_CTX_new() else { throw DigestFailure() }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else { throw DigestFailure() }
    while let piece = try file.read(upToCount: 1 << 20), !piece.isEmpty {
        let updated = piece.withUnsafeBytes { EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        guard updated == 1 else { throw DigestFailure() }
    }
    var bytes = [UInt8](repeating: 0, count: SHA256Digest.byteCount)
    guard EVP_DigestFinal_ex(context, &bytes, nil) == 1, let digest = SHA256Digest(bytes: bytes) else {
        throw DigestFailure()
    }
    return digest
}

private struct DigestFailure: Error {}
