CREATE TRIGGER billing_invoices_fixed BEFORE UPDATE ON billing_invoices
WHEN OLD.document IS NOT NULL AND (NEW.document IS NOT OLD.document OR NEW.sequence IS NOT OLD.sequence OR NEW.state = 'draft')
BEGIN SELECT RAISE(ABORT, 'an issued invoice never changes'); END;
CREATE TRIGGER billing_invoices_kept BEFORE DELETE ON billing_invoices WHEN OLD.document IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'an issued invoice is never deleted'); END;
CREATE TRIGGER billing_plans_fixed BEFORE UPDATE ON billing_plans
BEGIN SELECT RAISE(ABORT, 'a version of a plan never changes'); END;
CREATE TRIGGER billing_credit_notes_fixed BEFORE UPDATE ON billing_credit_notes WHEN NEW.document IS NOT OLD.document
BEGIN SELECT RAISE(ABORT, 'an issued credit note never changes'); END;
CREATE TRIGGER billing_ledger_fixed BEFORE UPDATE ON billing_wallet_ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is never edited'); END;
CREATE TRIGGER billing_ledger_kept BEFORE DELETE ON billing_wallet_ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is never edited'); END;
