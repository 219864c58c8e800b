CREATE FUNCTION billing_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;
CREATE TRIGGER billing_invoices_fixed BEFORE UPDATE ON billing_invoices FOR EACH ROW
WHEN (OLD.document IS NOT NULL AND (NEW.document IS DISTINCT FROM OLD.document
      OR NEW.sequence IS DISTINCT FROM OLD.sequence OR NEW.state = 'draft'))
EXECUTE FUNCTION billing_refuse('an issued invoice never changes');
CREATE TRIGGER billing_invoices_kept BEFORE DELETE ON billing_invoices FOR EACH ROW WHEN (OLD.document IS NOT NULL)
EXECUTE FUNCTION billing_refuse('an issued invoice is never deleted');
CREATE TRIGGER billing_plans_fixed BEFORE UPDATE ON billing_plans FOR EACH ROW
EXECUTE FUNCTION billing_refuse('a version of a plan never changes');
CREATE TRIGGER billing_credit_notes_fixed BEFORE UPDATE ON billing_credit_notes FOR EACH ROW
WHEN (NEW.document IS DISTINCT FROM OLD.document)
EXECUTE FUNCTION billing_refuse('an issued credit note never changes');
CREATE TRIGGER billing_ledger_fixed BEFORE UPDATE OR DELETE ON billing_wallet_ledger FOR EACH ROW
EXECUTE FUNCTION billing_refuse('the ledger is never edited');
